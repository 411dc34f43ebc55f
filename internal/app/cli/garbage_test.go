package cli

import (
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/unpoison/unpoison/dataset"
)

// Little may lie about beside large arrays, and as much as usual on a small heap.
func TestGarbagePercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 16 << 20: 100, 64 << 20: 50, 320 << 20: 10, 1 << 40: leanPercent} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d MB: %d %%, expected %d", live>>20, got, want)
		}
	}
}

// percent is what is set now.
func percent() int {
	p := debug.SetGCPercent(leanPercent)
	debug.SetGCPercent(p)
	return p
}

// While images are read garbage is collected by what else the heap holds; afterwards as before, unless the images are mapped.
func TestReadingPacesCollections(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(leanPercent))
	stop := pace(t.Context())
	if got := percent(); got <= leanPercent {
		t.Errorf("%d %% on a small heap", got)
	}
	large := make([]uint8, 40*readingGarbage)
	runtime.GC()
	for start := time.Now(); percent() != leanPercent && time.Since(start) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if got := percent(); got != leanPercent {
		t.Errorf("%d %% beside an array of %d MB", got, len(large)>>20)
	}
	runtime.KeepAlive(large)
	stop()
	if got := percent(); got != leanPercent {
		t.Errorf("%d %% afterwards", got)
	}
	folder := filepath.Join("..", "..", "..", "dataset", "testdata", "folder")
	runtime.GC()
	for _, stored := range []bool{false, true} {
		o := dataset.Options{}
		if stored {
			o.Store = t.TempDir()
		}
		d, err := load(t.Context(), folder, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := percent(); d.Train.Mapped() != stored || (got > leanPercent) != stored {
			t.Errorf("stored %v: %d %%", stored, got)
		}
	}
}
