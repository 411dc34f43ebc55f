package experiment

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// What programs that share a file keep at the same time is all there afterwards, once each, and of the same cell the
// later result counts.
func TestStoreKeepsWhatSeveralWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	g := small()
	first := &store{path: path, cells: map[string]*keptCell{}}
	if err := first.setGrid(g); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	names := []string{"a", "b", "c", "d", "e", "f"}
	for _, n := range names {
		group.Go(func() {
			s, err := openStore(path)
			if err == nil {
				err = s.add(&keptCell{Cell: n, Result: &runs.Result{Command: strings.Repeat(n, 10000)}})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s, err := openStore(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.grid.Name != g.Name || !s.grid.extends(g) || len(s.cells) != len(names) {
		t.Fatalf("grid %+v with %d cells", s.grid, len(s.cells))
	}
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	if err := s.add(s.cells["a"]); err != nil || size() != before {
		t.Errorf("the same cell was written again (%v)", err)
	}
	if err := s.add(&keptCell{Cell: "a", Result: &runs.Result{Command: "new"}}); err != nil {
		t.Fatal(err)
	}
	if s, err = openStore(path); err != nil || s.cell("a").Result.Command != "new" {
		t.Errorf("the later result does not count (%v)", err)
	}
}

func TestStoreNamesTheLineThatIsWrong(t *testing.T) {
	grid := `{"grid":{"name":"x","data":"signs","attacks":["none"],"defenses":["none"]}}` + "\n"
	for _, c := range []struct{ name, text, want string }{
		{"cut short", grid + `{"cell":"a","result":{}`, ":2: the line is not whole"},
		{"cut short by a full disk", grid + `{"cell":"a","res` + "\n" + `{"cell":"b","result":{}}` + "\n", ":2: the line is not whole"},
		{"no JSON", grid + "hello\n", ":2: "},
		{"neither grid nor cell", grid + `{"cells":1}` + "\n", `:2: expected a "grid"`},
		{"a field that no grid has", `{"grid":{"name":"x","colour":1}}` + "\n", ":1: "},
	} {
		path := filepath.Join(t.TempDir(), "x.jsonl")
		testfile.Write(t, path, c.text)
		if _, err := openStore(path); err == nil || !strings.Contains(err.Error(), path+c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A line that lacks its end alone, and empty ones, are no harm.
	whole := filepath.Join(t.TempDir(), "x.jsonl")
	testfile.Write(t, whole, grid+"\n"+`{"cell":"a","result":{"ca":5}}`)
	if s, err := openStore(whole); err != nil || s.cell("a") == nil || s.add(&keptCell{Cell: "b", Result: &runs.Result{}}) != nil {
		t.Errorf("a line without its end: %v", err)
	}
	if s, err := openStore(whole); err != nil || s.cell("a") == nil || s.cell("b") == nil {
		t.Errorf("what follows a line without its end: %v", err)
	}
	// A result may have more, or less, than today's.
	path := filepath.Join(t.TempDir(), "x.jsonl")
	testfile.Write(t, path, grid+`{"cell":"a","more":1,"result":{"ca":5,"verdict":{"says":"poisoned","of_old":[1]}}}`+"\n")
	if s, err := openStore(path); err != nil || *s.cell("a").Result.CA != 5 {
		t.Errorf("a result of another version: %v", err)
	}
}

// A grid that trains some cells in another way forgets them and what builds on them, and keeps the rest.
func TestStoreForgetsWhatIsTrainedOtherwise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	old := small()
	old.Attacks, old.Defenses, old.Seeds, old.Plain = []string{"badnets"}, []string{"none", "fp", "abl"}, []uint64{0}, "tune_epochs=1"
	s := &store{path: path, cells: map[string]*keptCell{}}
	if err := s.setGrid(old); err != nil {
		t.Fatal(err)
	}
	for _, c := range old.Cells() {
		if err := s.add(&keptCell{Cell: c.Name(), Result: &runs.Result{Command: "old"}}); err != nil {
			t.Fatal(err)
		}
	}
	g := *old
	g.Plain = ""
	r := &Runner{Grid: &g, Keep: filepath.Dir(path)}
	g.Name = "x"
	for range 2 { // and the file says so too
		if err := r.openKept(); err != nil {
			t.Fatal(err)
		}
		for _, c := range g.Cells() {
			if kept := r.store.cell(c.Name()) != nil; kept != (c.Defense == "abl") {
				t.Errorf("%s is kept: %v", c.Name(), kept)
			}
		}
	}
	if err := r.store.add(&keptCell{Cell: "badnets.none.0", Result: &runs.Result{Command: "new"}}); err != nil {
		t.Fatal(err)
	}
	if s, err := openStore(path); err != nil || s.cell("badnets.none.0") == nil || s.cell("badnets.fp.0") != nil {
		t.Errorf("what was run again is not kept alone (%v)", err)
	}
}

// What a grid leaves out for a while is compared with how it is trained when it comes back.
func TestStoreForgetsWhatCameBackOtherwise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	grid := func(plain map[string]string, attacks ...string) *Grid {
		g := small()
		g.Name, g.Attacks, g.Defenses, g.Seeds, g.PlainFor = "x", attacks, []string{"none"}, []uint64{0}, plain
		return g
	}
	r := &Runner{Grid: grid(nil, "badnets", "blend"), Keep: filepath.Dir(path)}
	if err := r.openKept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Grid.Cells() {
		if err := r.store.add(&keptCell{Cell: c.Name(), Result: &runs.Result{Command: "old"}}); err != nil {
			t.Fatal(err)
		}
	}
	other := map[string]string{"badnets": "tune_epochs=1"}
	if err := (&Runner{Grid: grid(other, "badnets"), Keep: r.Keep}).openKept(); err != nil {
		t.Fatal(err)
	}
	other = map[string]string{"badnets": "tune_epochs=1", "blend": "tune_epochs=1"}
	last := &Runner{Grid: grid(other, "badnets", "blend"), Keep: r.Keep}
	if err := last.openKept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range last.Grid.Cells() {
		if last.store.cell(c.Name()) != nil {
			t.Errorf("%s of another recipe is kept", c.Name())
		}
	}
}

// Plain settings of several attacks together are those of all their names, whatever the attacks' own settings.
func TestPlainSettingsOfSeveralAttacks(t *testing.T) {
	g := small()
	g.PlainFor = map[string]string{"badnets": "tune_epochs=3", "badnets+blend": "tune_epochs=5"}
	for attack, want := range map[string]int{"badnets:rate=0.2": 3, "badnets:rate=0.2+blend:target=1": 5, "badnets+blend": 5, "badnets:rate=0.2+sig": 2} {
		if o, err := g.options(attack, "none", 0, 0); err != nil || o.TuneEpochs != want {
			t.Errorf("%s: %d epochs, expected %d (%v)", attack, o.TuneEpochs, want, err)
		}
	}
}
