package evaluate_test

import (
	"os"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/model"
)

// A pass over images in a file maps it no more often than it was, however many there are: what is mapped privately and written is
// memory, and never given back.
func TestPassMapsNothing(t *testing.T) {
	store := t.TempDir()
	d, err := dataset.Load(t.Context(), "../dataset/testdata/folder", dataset.Options{Store: store, Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	mapped := func() int {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip("this system does not tell what is mapped")
		}
		return strings.Count(string(maps), store)
	}
	before := mapped()
	if before == 0 {
		t.Fatal("the images are in no file")
	}
	b, err := engines.New("cpu", 1)
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", len(d.Train.Classes), 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	at := []int{2, 0, 1} // rows come in any order, each once
	seen := map[int]int{}
	p := evaluate.Pass{Network: n, State: n.Init(0), Blurs: []float64{0.6, 1}}
	if err := (evaluate.Here{Backend: b, Set: d.Train}).Pass(t.Context(), p, at, func(i int, row []float32) {
		seen[i] += len(row)
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if seen[i] != 2*n.Classes {
			t.Errorf("image %d has %d logits, expected %d", i, seen[i], 2*n.Classes)
		}
	}
	if after := mapped(); after != before {
		t.Errorf("the file is mapped %d times, and was %d times before the pass", after, before)
	}
}
