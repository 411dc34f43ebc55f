package dataset

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// Each calls do once for every number below n, on all processors. A *LostError that one of them panics with is the caller's panic, as
// if it had read the image itself.
func Each(n int, do func(k int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		for k := range n {
			do(k)
		}
		return
	}
	lost := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			defer Lost(&lost[w])
			for k := n * w / workers; k < n*(w+1)/workers; k++ {
				do(k)
			}
		})
	}
	group.Wait()
	var gone *LostError
	if errors.As(errors.Join(lost...), &gone) {
		panic(gone)
	}
}

// eachUntil is Each until the context ends: then it returns the context's error, and some are not done.
func eachUntil(ctx context.Context, n int, do func(k int)) error {
	Each(n, func(k int) {
		if ctx.Err() == nil {
			do(k)
		}
	})
	return ctx.Err()
}
