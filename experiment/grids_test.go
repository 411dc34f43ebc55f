package experiment

import (
	"path/filepath"
	"testing"
)

// The grids that the documents name can be run.
func TestDocumentedGrids(t *testing.T) {
	paths, err := filepath.Glob("../docs/grids/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no grids: %v", err)
	}
	for _, p := range paths {
		g, err := Read(p)
		if err != nil {
			t.Error(err)
			continue
		}
		if cells := g.Cells(); len(cells) != len(g.Attacks)*len(g.Defenses)*len(g.Seeds) {
			t.Errorf("%s has %d cells", p, len(cells))
		}
	}
}

// The paper's turning epochs are scaled, to more of ours where images are few, and keep their figures.
func TestTurningEpochsAreScaled(t *testing.T) {
	for limit, want := range map[int]string{0: "abl:isolate_epochs=8", 10000: "abl:isolate_epochs=16"} {
		g, err := Paper("turning-epoch", Data{CIFAR10: "cifar10:DIR", Limit: limit}, false, []uint64{0})
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Defenses[3]; got != want {
			t.Errorf("of %d images the paper's epoch 40 is %s, expected %s", limit, got, want)
		}
		for _, c := range g.Cells() {
			if _, ok := g.paper(c); !ok {
				t.Errorf("%s has no figure of the paper", c.Name())
			}
		}
		if f, _ := g.paper(Cell{Attack: "badnets", Defense: want}); f != (pairOf{4.05, 84.28}) {
			t.Errorf("BadNets at 40: %v", f)
		}
	}
}
