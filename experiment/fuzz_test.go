package experiment

import (
	"bytes"
	"path/filepath"
	"testing"
)

// A grid that is taken has cells whose names are folders of their own.
func FuzzGrid(f *testing.F) {
	f.Add([]byte("name: g\ndata: signs\nmodel: small-cnn\nclean: 0.5\nattacks: [none, badnets, \"badnets:trigger=t/x.png\"]\ndefenses: [none, abl]\nseeds: [0, 1]\n"))
	f.Add([]byte("name: ..\ndata: cifar10\nattacks: [\"blend:alpha=0.1\"]\ndefenses: [\"fp:prune=0.5\", \"abl:isolation=0.01\"]\nvary: [\"batch=32\"]\nseeds_for: {abl: 3}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := decode(bytes.NewReader(raw))
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, c := range g.Cells() {
			if name := c.Name(); seen[name] || !filepath.IsLocal(name) || filepath.Clean(name) == "." {
				t.Errorf("a cell called %q", name)
			} else {
				seen[name] = true
			}
		}
	})
}
