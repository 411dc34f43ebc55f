package dataset

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
)

// Each number comes once, on however many processors, and a lost file is the caller's panic.
func TestEachComesOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, processors := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(processors)
		for _, n := range []int{0, 1, 3, 64, 101} {
			times := make([]atomic.Int32, n)
			Each(n, func(k int) { times[k].Add(1) })
			for k := range times {
				if got := times[k].Load(); got != 1 {
					t.Errorf("%d processors: %d of %d came %d times", processors, k, n, got)
				}
			}
		}
		var err error
		func() {
			defer Lost(&err)
			Each(9, func(k int) {
				if k == 7 {
					panic(&LostError{"x"})
				}
			})
		}()
		if lost := (*LostError)(nil); !errors.As(err, &lost) || lost.File != "x" {
			t.Errorf("%d processors: %v, expected that x was lost", processors, err)
		}
	}
}
