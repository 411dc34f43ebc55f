package experiment

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
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

// FuzzKept gives a file of results. What is read makes rows of a table.
func FuzzKept(f *testing.F) {
	f.Add([]byte(`{"grid":{"name":"g","data":"signs","model":"small-cnn","attacks":["none","badnets"],"defenses":["none"]}}` + "\n" +
		`{"cell":"none.none.0","result":{"data":{"path":"x","layout":"signs"},"ca":99.5},"losses":{"clean":[1,2],"poisoned":[1]},"scores":null}` + "\n"))
	f.Add([]byte(`{"table":{"columns":["a"]}}` + "\n" + `{"figures":{"a":"1"},"command":"c","date":"d"}` + "\n"))
	f.Add([]byte(`{"cell":"badnets.none.0","result":{"verdict":{"targets":[null]},"attacks":[{"name":"badnets"}]}}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "g"+storeExt)
		testfile.Write(t, path, raw)
		_, _ = readTable(path)
		_, _ = epochLosses(path)
		if r, err := Kept(path); err == nil {
			r.Table()
		}
	})
}
