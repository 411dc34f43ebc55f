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
