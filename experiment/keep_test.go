package experiment

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// written returns the files that Results makes of a grid, by their names.
func written(t *testing.T, r *Runner) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "results.md")
	if err := Results(filepath.Dir(file), file, "Title", []*Runner{r}, false, (*Grid).PaperCommand); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	err := filepath.WalkDir(filepath.Dir(file), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			raw, _ := os.ReadFile(path)
			all[filepath.Base(path)] = string(raw)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Results that were kept stand for runs that are gone: the tables and plots are the same, and only what is missing
// runs, with the runs that it builds on.
func TestKeptResultsStandForRuns(t *testing.T) {
	g := small()
	g.Seeds, g.Plots = g.Seeds[:1], []string{"curves", "separation"}
	keep := t.TempDir()
	var ran []string
	start := func(g *Grid) *Runner {
		r := runner(t, g, filepath.Join(t.TempDir(), g.Name))
		r.Keep = keep
		ran = nil
		r.Watch = func(c Cell, _ runs.Event) {
			if !slices.Contains(ran, c.Name()) {
				ran = append(ran, c.Name())
			}
		}
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := start(g)
	if err := first.draw(); err != nil {
		t.Fatal(err)
	}
	want := written(t, first)
	saved, err := Saved(context.Background(), t.TempDir(), g.Name, keep, first.Backend, "")
	if err != nil {
		t.Fatal(err)
	}
	got := written(t, saved)
	if len(want) < 4 || len(got) != len(want) {
		t.Errorf("%d files from kept results, %d from runs", len(got), len(want))
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s differs from kept results", name)
		}
	}

	more := small()
	more.Seeds, more.Plots, more.Defenses = g.Seeds, g.Plots, append(more.Defenses, "unlearn:ft-all")
	start(more)
	attack := "badnets-patch_size5-target9"
	if want := []string{attack + ".none.0", attack + ".abl.0", attack + ".unlearn-ft-all.0"}; !slices.Equal(ran, want) {
		t.Errorf("ran %v, expected %v", ran, want)
	}

	// Another grid takes over what is the same training.
	other := small()
	other.Name, other.Seeds, other.Defenses, other.Plots = "other", g.Seeds, []string{"abl"}, nil
	if start(other); len(ran) != 0 {
		t.Errorf("another grid ran %v again", ran)
	}
	raw := testfile.Read(t, filepath.Join(keep, "other.jsonl"))
	if bytes.Contains(raw, []byte(keep)) || bytes.Contains(raw, []byte(first.Folder)) {
		t.Error("a kept result names a folder of this machine")
	}
	other.Limit = 150
	r := runner(t, other, filepath.Join(t.TempDir(), "x"))
	r.Keep = keep
	if err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "--keep") {
		t.Errorf("results kept of other data: %v", err)
	}
}

// Results that are kept of another recipe than the folder's do not stand in one table with those of its runs.
func TestSavedGridsAreOfOneRecipe(t *testing.T) {
	grid := "name: x\ndata: signs\nattacks: [blend]\ndefenses: [none, abl]\n"
	kept := `{"grid":{"name":"x","data":"signs","attacks":["blend"],"defenses":["none","abl"],"plain":"tune_epochs=2"}}
{"cell":"blend.none.0","result":{"version":"0.2","ca":80,"asr":90}}
{"cell":"blend.abl.0","result":{"version":"0.2","ca":80,"asr":4}}
`
	for _, c := range []struct {
		more      string
		none, abl bool
	}{{"plain: tune_epochs=2\n", true, true}, {"plain: tune_epochs=3\n", false, true}, {"plain: tune_epochs=2\nlimit: 500\n", false, false}} {
		folder, keep := t.TempDir(), t.TempDir()
		if err := os.Mkdir(filepath.Join(folder, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string]string{filepath.Join(folder, "x", gridFile): grid + c.more, filepath.Join(keep, "x.jsonl"): kept} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Saved(context.Background(), folder, "x", keep, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		for defense, want := range map[string]bool{"none": c.none, "abl": c.abl} {
			if got := r.result(Cell{Attack: "blend", Defense: defense}) != nil; got != want {
				t.Errorf("%q: the kept result of %s stands: %v", c.more, defense, got)
			}
		}
	}
}

// An average has ASR and CA of the same attacks, and says of how many where some were not measured.
func TestAveragesAreOfTheSameAttacks(t *testing.T) {
	g := &Grid{Name: "x", Data: "signs", Attacks: []string{"badnets", "blend", "sig"}, Defenses: []string{"none"}}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	figures := func(asr, ca float64) *runs.Result {
		res := &runs.Result{CA: &ca}
		if asr >= 0 {
			res.ASR = &asr
		}
		return res
	}
	r := &Runner{Grid: g, read: map[Cell]*runs.Result{
		{Attack: "badnets", Defense: "none"}: figures(90, 80), {Attack: "blend", Defense: "none"}: figures(70, 70), {Attack: "sig", Defense: "none"}: figures(-1, 30),
	}}
	lines := r.Table().Rows
	if want := "80.00 / 75.00, of 2"; lines[len(lines)-1][1] != want || lines[2][1] != "– / 30.00" {
		t.Errorf("%v, expected an average of %s", lines, want)
	}
}

// A cell that is not finished has no curve, whatever its log has by now: what is kept of it has.
func TestUnfinishedCellsHaveNoCurve(t *testing.T) {
	c := Cell{Attack: "blend", Defense: "none"}
	r := &Runner{Folder: t.TempDir(), Grid: &Grid{Name: "x", Data: "signs", Attacks: []string{"blend"}, Defenses: []string{"none"}, Seeds: []uint64{0}, Plots: []string{"curves"}}}
	if err := os.MkdirAll(r.folder(c), 0o755); err != nil {
		t.Fatal(err)
	}
	log := `{"event":"epoch","epoch":1,"loss":2,"clean":2.1,"poisoned":1.5}` + "\n"
	if err := os.WriteFile(filepath.Join(r.folder(c), runs.LogFile), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	if made, err := r.curves(); err != nil || len(made) != 0 {
		t.Errorf("%d curves, %v", len(made), err)
	}
	r.store = &store{cells: map[string]*keptCell{c.Name(): {Cell: c.Name(), Result: &runs.Result{}, Losses: &losses{Clean: []float64{2, 1}, Poisoned: []float64{1, 0}}}}}
	if l, err := r.losses(c); err != nil || l == nil || len(l.Clean) != 2 {
		t.Errorf("%+v, %v", l, err)
	}
	if made, err := r.curves(); err != nil || len(made) != 1 {
		t.Errorf("%d curves of what is kept, %v", len(made), err)
	}
}
