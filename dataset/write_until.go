package dataset

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

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
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			defer Lost(&errs[w])
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil && !failed.Load(); i = int(next.Add(1)) - 1 {
				if errs[w] = d.interrupted(); errs[w] == nil {
					errs[w] = write(i)
				}
			}
			if errs[w] != nil {
				failed.Store(true)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
