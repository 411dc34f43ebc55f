package cli

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/unpoison/unpoison/dataset"
)

// leanPercent of the heap is garbage before it is collected: where the heap is a few large arrays and little garbage, collecting often
// costs nothing and keeps the peak near what is in use.
const leanPercent = 5

// readingGarbage are so many bytes of garbage that may lie about while images are decoded, and while they are in a file: a photograph
// leaves megabytes, and beside a million names each collection takes as long as decoding several.
const readingGarbage = 32 << 20

// load reads data. Garbage is collected as suits reading, and goes on to be where the images are mapped.
func load(ctx context.Context, spec string, o dataset.Options) (*dataset.Data, error) {
	stop := pace(ctx)
	d, err := dataset.Load(ctx, spec, o)
	if err != nil || !d.Train.Mapped() {
		stop()
	}
	return d, err
}

// pace lets readingGarbage lie about until stop is called, which puts things back, or ctx ends.
func pace(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	set := garbagePercent(liveHeap())
	before := debug.SetGCPercent(set)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-tick.C:
				if p := garbagePercent(liveHeap()); p != set {
					set = p
					debug.SetGCPercent(p)
				}
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		debug.SetGCPercent(before)
	}
}

// garbagePercent is readingGarbage as a percentage of a heap of so many bytes, from leanPercent to the usual 100.
func garbagePercent(live uint64) int {
	return int(min(100, max(leanPercent, 100*readingGarbage/max(live, 1))))
}

// liveHeap is what the last collection left.
func liveHeap() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
