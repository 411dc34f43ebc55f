package dataset

import (
	"context"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// WriteUntil stores d in the named layout as the folder dir, which appears whole or not at all: not where ctx ends before.
// more, which may be nil, adds files to the folder that it is given.
func WriteUntil(ctx context.Context, name, dir string, d *Data, more func(dir string) error) error {
	until := *d
	until.ctx = ctx
	return atomicfile.Folder(dir, func(dir string) error {
		if err := Write(name, dir, &until); err != nil {
			return err
		}
		if more != nil {
			if err := more(dir); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// interrupted returns the error of WriteUntil's context.
func (d *Data) interrupted() error {
	if d.ctx == nil {
		return nil
	}
	return d.ctx.Err()
}
