package experiment

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/runs"
)

// With no error in n the bound solves (1-p)^n = 0.05; the others are from published tables of the one-sided
// Clopper–Pearson limits.
func TestUpperBound(t *testing.T) {
	for _, c := range []struct {
		k, n int
		want float64
	}{{0, 60, 1 - math.Pow(0.05, 1.0/60)}, {0, 10, 0.2589}, {1, 10, 0.3942}, {2, 20, 0.2826}, {5, 5, 1}} {
		if got := upperBound(c.k, c.n); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("%d errors in %d: at most %g, expected %g", c.k, c.n, got, c.want)
		}
	}
}

func TestVerdictsAreJudgedByTheTruth(t *testing.T) {
	r := &Runner{Grid: &Grid{
		Name: "x", Data: "signs", Vary: []string{"noise=0.1", ""}, Attacks: []string{"none", "badnets"}, Defenses: []string{"auto:tune_epochs=0"},
	}, Folder: t.TempDir()}
	if err := r.Grid.Check(); err != nil {
		t.Fatal(err)
	}
	poisoned := `"verdict":{"says":"poisoned","removed":9,"targets":[{"class":"c","index":3,"says":"poisoned"}]}`
	write := func(c Cell, text string) {
		if err := os.MkdirAll(r.folder(c), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.folder(c), runs.ResultFile), []byte("{"+text+"}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := r.Grid.Defenses[0]
	write(Cell{"none", d, 0, "noise=0.1"}, poisoned)                                                 // a false alarm
	write(Cell{"badnets", d, 0, "noise=0.1"}, `"attacks":[{"name":"badnets","target":3}],`+poisoned) // found
	write(Cell{"none", d, 0, ""}, `"verdict":{"says":"can't tell"}`)
	write(Cell{"badnets", d, 0, ""}, `"attacks":[{"name":"badnets","target":2}],`+poisoned) // another label
	var got []bool
	for _, v := range r.Verdicts() {
		got = append(got, v.Right)
	}
	if len(got) != 4 || got[0] || !got[1] || !got[2] || got[3] {
		t.Errorf("right: %v, expected false, true, true, false", got)
	}
	rates := Rates(r.Verdicts())
	for _, want := range []string{"2 clean sets: 1 false alarms", "2 poisoned sets: 1 missed", "of 1 it could not tell"} {
		if !strings.Contains(rates, want) {
			t.Errorf("%q does not say %q", rates, want)
		}
	}
	tables := r.Tables()
	if len(tables) != 1 || len(tables[0].Rows) != 4 || tables[0].Rows[0][0] != "x noise=0.1" {
		t.Errorf("tables %v", tables)
	}
}

func TestVariationsAreCellsOfTheirOwn(t *testing.T) {
	g := &Grid{Name: "x", Data: "signs", Vary: []string{"", "noise=0.1", "limit=100,classes=3"}, Attacks: []string{"none"}, Defenses: []string{"fp"}}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, c := range g.Cells() {
		names[c.Name()] = true
		for _, n := range c.needs() {
			if n.Vary != c.Vary {
				t.Errorf("%s needs %s", c.Name(), n.Name())
			}
		}
	}
	if len(names) != 6 || !names["limit100-classes3.none.fp.0"] {
		t.Errorf("cells %v", names)
	}
	g.Vary = []string{"nose=0.1"}
	if err := g.Check(); err == nil || !strings.Contains(err.Error(), "nose") {
		t.Errorf("a wrong variation: %v", err)
	}
}
