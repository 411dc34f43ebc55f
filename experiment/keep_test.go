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
	raw, err := os.ReadFile(filepath.Join(keep, "other.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
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
