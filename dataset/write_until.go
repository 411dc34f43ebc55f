package dataset

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

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

// eachImage writes images 0 to n-1, several at a time, until the first error or interruption.
func (d *Data) eachImage(n int, write func(i int) error) error {
	group, failed := errgroup.WithContext(context.Background())
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() (err error) {
			defer Lost(&err)
			if failed.Err() != nil {
				return nil
			}
			if err := d.interrupted(); err != nil {
				return err
			}
			return write(i)
		})
	}
	return group.Wait()
}
