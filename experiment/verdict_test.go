package experiment

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/isolate"
)

func TestVerdictsAreJudgedByTheTruth(t *testing.T) {
	r := &Runner{Grid: &Grid{
		Name: "x", Data: "signs", Vary: []string{"noise=0.1", "", "classes=5"}, Attacks: []string{"none", "badnets", "badnets+blend:target=2"}, Defenses: []string{"auto:tune_epochs=0"},
	}, Folder: t.TempDir()}
	if err := r.Grid.Check(); err != nil {
		t.Fatal(err)
	}
	poisoned := `"verdict":{"says":"poisoned","removed":9,"targets":[{"class":"c","index":3,"says":"poisoned"}]}`
	write := func(c Cell, text string) {
		if err := os.MkdirAll(r.folder(c), 0o755); err != nil {
			t.Fatal(err)
		}
		testfile.Write(t, filepath.Join(r.folder(c), runs.ResultFile), `{"version":"0.2","data":{"classes":["a","b","c","d","e"]},`+text+"}")
	}
	d := r.Grid.Defenses[0]
	write(Cell{"none", d, 0, "noise=0.1"}, poisoned)                                                 // a false alarm
	write(Cell{"badnets", d, 0, "noise=0.1"}, `"attacks":[{"name":"badnets","target":3}],`+poisoned) // found
	write(Cell{"none", d, 0, ""}, `"verdict":{"says":"can't tell"}`)
	write(Cell{"badnets", d, 0, ""}, `"attacks":[{"name":"badnets","target":2}],`+poisoned) // another label
	two := "badnets+blend:target=2"
	write(Cell{two, d, 0, ""}, `"attacks":[{"name":"badnets","target":3},{"name":"blend","target":2}],"isolation":{"recall":0.5,"fpr":0.01},"ca":80,`+poisoned) // one of two
	write(Cell{"badnets", d, 0, "classes=5"}, `"attacks":[{"name":"badnets","target":3}],"isolation":{"recall":0,"fpr":0.1,"precision":0},`+poisoned)           // the honest ones
	var got []bool
	for _, v := range r.Verdicts() {
		got = append(got, v.Right)
	}
	if !slices.Equal(got, []bool{false, true, true, false, false, false}) {
		t.Errorf("right: %v, expected false, true, true, false, false, false", got)
	}
	rates := Rates(r.Verdicts())
	for _, want := range []string{"Clean sets: 2; false alarms: 1 (", "Poisoned sets: 4; missed or under another label: 3 (", "could not tell: 1."} {
		if !strings.Contains(rates, want) {
			t.Errorf("%q does not say %q", rates, want)
		}
	}
	tables := r.Tables() // one of accuracies too, since a network was trained
	if len(tables) != 2 || len(tables[1].Rows) != 6 || tables[1].Rows[0][0] != "x noise=0.1" {
		t.Errorf("tables %v", tables)
	}
	if want := "Over the poisoned sets TPR is 12.50 % and FPR 2.750 % on average."; !strings.Contains(tables[1].Note, want) {
		t.Errorf("%q does not say %q", tables[1].Note, want)
	}
}

// Where nobody looks at labels, a shortcut is all that can be said of planted images.
func TestVerdictsWithoutContentAreShortcuts(t *testing.T) {
	r := &Runner{Grid: &Grid{Name: "x", Data: "signs", Attacks: []string{"badnets"}, Defenses: []string{"auto", "auto:" + noContent}}, Folder: t.TempDir()}
	if err := r.Grid.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Grid.Cells() {
		if err := os.MkdirAll(r.folder(c), 0o755); err != nil {
			t.Fatal(err)
		}
		text := `{"version":"0.2","data":{"classes":["a","b"]},"attacks":[{"name":"badnets","target":1}],"verdict":{"says":"shortcut","targets":[{"class":"b","index":1,"says":"shortcut"}]}}`
		testfile.Write(t, filepath.Join(r.folder(c), runs.ResultFile), text)
	}
	all := r.Verdicts()
	if len(all) != 2 {
		t.Fatalf("%d verdicts, expected 2", len(all))
	}
	for _, v := range all {
		if want := v.Defense != "auto"; v.Right != want {
			t.Errorf("%s: right is %v, expected %v", v.Defense, v.Right, want)
		}
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
		for _, n := range c.Needs() {
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

// A defence's list of settings holds auto's own and the recipe's.
func TestAutoTakesSettings(t *testing.T) {
	look, rest, err := search("auto:inspect-epochs=0,tune_epochs=8,correct=false")
	if err != nil {
		t.Fatal(err)
	}
	want := audit.Default()
	want.InspectEpochs, want.Correct = 0, false
	if look != want || rest != "tune_epochs=8" {
		t.Errorf("%+v and %q", look, rest)
	}
	g := &Grid{Name: "x", Data: "signs", Attacks: []string{"none"}, Defenses: []string{"auto", "auto:correct=false"}}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	c := g.Cells()
	if a, b := g.training(c[0], 1000), g.training(c[1], 1000); a == "" || a == b {
		t.Error("cells of different settings are the same training")
	}
	g.Defenses = []string{"auto:correct=x"}
	if err := g.Check(); err == nil || !strings.Contains(err.Error(), "correct") {
		t.Errorf("a wrong setting: %v", err)
	}
}

// Every experiment of auto's is a valid grid, and the quick ones run to a table on rendered signs.
func TestAutoExperiments(t *testing.T) {
	for _, n := range AutoNames() {
		for _, quick := range []bool{false, true} {
			if g, err := Auto(n, Data{}, quick, nil); err != nil || len(g.Cells()) == 0 {
				t.Errorf("%s: %v", n, err)
			}
		}
	}
	if _, err := Auto("nope", Data{}, false, nil); err == nil {
		t.Error("an unknown experiment was taken")
	}
	g, err := Auto("adaptive", Data{}, true, []uint64{0})
	if err != nil {
		t.Fatal(err)
	}
	g.Attacks, g.Defenses = []string{"badnets+blend:target=1"}, []string{"auto:content=false,inspect_epochs=0"}
	r := runner(t, g, t.TempDir())
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	v := r.Verdicts()
	if len(v) != 1 || v[0].CA == nil || v[0].ASR == nil || v[0].RA == nil {
		t.Errorf("verdicts %+v", v)
	}
}

// Another network judges the same data, and the command that repeats it says so.
func TestVerdictsByAnotherNetwork(t *testing.T) {
	for _, c := range []struct {
		network string
		quick   bool
		want    string
	}{{"", false, "wrn-16-1"}, {"", true, "small-cnn"}, {"wrn-40-1", false, "wrn-40-1"}, {"wrn-40-1", true, "wrn-40-1"}} {
		grids, err := VerdictGrids(Data{}, c.network, c.quick, []uint64{1})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range grids {
			if g.Model != c.want {
				t.Errorf("%q, quick %v: %s is judged by %s", c.network, c.quick, g.Name, g.Model)
			}
		}
	}
	if _, err := VerdictGrids(Data{}, "nope", false, []uint64{1}); err == nil {
		t.Error("a network that is not there")
	}
	if got, want := VerdictCommand(Data{}, "wrn-40-1", false, []uint64{1}), "--model wrn-40-1"; !strings.Contains(got, want) {
		t.Errorf("%q has no %s", got, want)
	}
}

// The gap compares a defended network with one that was trained on the images before the attack, which attacks of a seed share.
func TestGap(t *testing.T) {
	g, err := Auto("cifar10", Data{}, true, []uint64{0})
	if err != nil {
		t.Fatal(err)
	}
	g.Attacks, g.Defenses = []string{"badnets", "blend"}, []string{"before"}
	r := runner(t, g, t.TempDir())
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	var before []*float64
	for _, c := range g.Cells() {
		if c.Attack == "none" && c.Defense == "before" {
			t.Errorf("cell %s has nothing to compare", c.Name())
		}
		if res := r.result(c); res == nil || res.CA == nil || c.Attack != "none" && res.Attacks[0].RA == nil {
			t.Fatalf("%s: %+v", c.Name(), res)
		} else if before = append(before, res.CA); *res.CA != *before[0] {
			t.Errorf("%s has a network of its own: CA %g and %g", c.Name(), *res.CA, *before[0])
		}
	}
	defended := *r.result(g.Cells()[1])
	ca, asr := *defended.CA-1.5, 7.25
	defended.CAOf = slices.Clone(defended.CAOf)
	lost := *defended.CAOf[1] - 3
	defended.CAOf[0], defended.CAOf[1] = nil, &lost // the first has no test image
	defended.CA, defended.ASR, defended.Correction = &ca, &asr, &runs.Correction{Wrong: 4, Corrected: 3, OfWrong: 2, Right: 1}
	g.Defenses = append(g.Defenses, "auto")
	r.read[Cell{"badnets", "auto", 0, ""}] = &defended
	table := r.gapTable()
	defended.Correction = &runs.Correction{Wrong: 4}
	if none := r.gapTable(); !slices.Equal(none.Rows[0][8:], []string{"0.00", "–"}) {
		t.Errorf("nothing was corrected: %q", none.Rows)
	}
	low := 1.25
	several := *r.result(g.Cells()[1])
	several.Attacks = append(slices.Clone(several.Attacks), &runs.Attack{Name: "blend", RA: &low})
	r.read[Cell{"badnets", "auto", 0, ""}] = &several
	if row := r.gapTable().Rows[0]; !strings.HasPrefix(row[3], "1.25 (") {
		t.Errorf("not the worse attack's: %q", row)
	}
	if len(table.Rows) != 3 || !strings.HasPrefix(table.Rows[0][2], "7.25 (") || !slices.Equal(table.Rows[0][7:], []string{"-3.00", "50.00", "33.33"}) || table.Rows[1][5] != "-1.50" || table.Rows[2][5] != "-1.50" {
		t.Errorf("%q", table.Rows)
	}
}

// Triggered images that are classified as what they show have a table of their own, without what nothing was planted in.
func TestRobustAccuracyIsLaidOut(t *testing.T) {
	g := &Grid{Name: "x", Data: "signs", Attacks: []string{"none", "badnets", "blend"}, Defenses: []string{"none", "abl"}, Seeds: []uint64{0, 1}}
	r := &Runner{Grid: g, Folder: t.TempDir(), read: map[Cell]*runs.Result{}}
	if r.robustTable() != nil {
		t.Error("a table of nothing")
	}
	for s, v := range []float64{50, 60} {
		ra, ca := v, 80.0
		r.read[Cell{"badnets", "abl", uint64(s), ""}] = &runs.Result{CA: &ca, Attacks: []*runs.Attack{{Name: "badnets", RA: &ra}}}
	}
	got := r.robustTable()
	want := [][]string{{"badnets", "–", "55.00 ± 7.07"}, {"blend", "–", "–"}, {"average of the attacks", "–", "55.00, of 1"}}
	if got == nil || !reflect.DeepEqual(got.Rows[:2], want[:2]) {
		t.Fatalf("%+v, expected %v", got, want)
	}
	if len(got.Rows) != 2 {
		t.Errorf("two attacks have an average: %v", got.Rows)
	}
	g.Attacks = append(g.Attacks, "sig")
	if rows := r.robustTable().Rows; len(rows) != 4 || !reflect.DeepEqual(rows[3], want[2]) {
		t.Errorf("average %v, expected %v", rows, want[2])
	}
}

// Defences that train twice on clean images are said to, and unlearning has no epochs over images that it was not given.
func TestWhatDefencesUsed(t *testing.T) {
	g := &Grid{Name: "x", Data: "signs", Attacks: []string{"badnets"}, Defenses: []string{"fp", "mcr:epochs=20", "nad", "unlearn:retrain", "abl"}, Seeds: []uint64{0}}
	r := &Runner{Grid: g, Folder: t.TempDir(), read: map[Cell]*runs.Result{}}
	for _, c := range g.Cells() {
		res := &runs.Result{Epochs: runs.Epochs{Isolate: 4, Tune: 20, Unlearn: 1.6}}
		if runs.Defense(c.Defense).Repairs() {
			res.Epochs, res.Repair = runs.Epochs{}, &runs.Repair{Options: map[string]any{"epochs": 20.0}}
			if !strings.HasPrefix(c.Defense, "unlearn") {
				res.Repair.Clean = 100
			}
		}
		r.read[c] = res
	}
	want := [][]string{
		{"fp", "–", "100", "20"}, {"mcr:epochs=20", "–", "100", "40"}, {"nad", "–", "100", "40"}, {"unlearn:retrain", "–", "–", "–"}, {"abl", "26", "–", "–"},
	}
	if got := r.spentTable().Rows; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
}

// Of several attacks a verdict's line has the worst of each figure, as the other tables do.
func TestVerdictsHaveTheWorstOfSeveralAttacks(t *testing.T) {
	g := &Grid{Name: "x", Data: "signs", Attacks: []string{"badnets+blend:target=1"}, Defenses: []string{"auto"}, Seeds: []uint64{0}}
	asr, high, low, own, less := 90.0, 80.0, 10.0, 70.0, 20.0
	r := &Runner{Grid: g, Folder: t.TempDir(), read: map[Cell]*runs.Result{{g.Attacks[0], "auto", 0, ""}: {
		Verdict: &audit.Verdict{}, ASR: &asr, Attacks: []*runs.Attack{{Name: "badnets", RA: &high, RATarget: &own}, {Name: "blend", RA: &low, RATarget: &less}},
	}}}
	if v := r.Verdicts()[0]; *v.ASR != asr || *v.RA != low || *v.RATarget != less || *v.RA != *r.Rows()[0].RA {
		t.Errorf("ASR %g, RA %g, of the targets %g", *v.ASR, *v.RA, *v.RATarget)
	}
}

// Covering images are neither clean nor poisoned.
func TestSeparationPassesOverCoveringImages(t *testing.T) {
	r := runner(t, &Grid{Name: "x", Data: "signs", Limit: 120, Test: 10, Attacks: []string{"badnets:rate=0.1,cover=0.2"}, Defenses: []string{"abl"}, Seeds: []uint64{0}}, t.TempDir())
	set, truth, err := r.planted(t.Context(), r.Grid.Attacks[0])
	if err != nil {
		t.Fatal(err)
	}
	defer set.Discard()
	var all []isolate.Suspect
	for i := range set.Len() {
		all = append(all, isolate.Suspect{Index: i, Score: 1})
		if truth[i] == isCover {
			all[i].Score = 7
		}
	}
	c := r.Grid.Cells()[0]
	if err := os.MkdirAll(r.folder(c), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := runs.WriteSuspects(filepath.Join(r.folder(c), runs.SuspectsFile), set, all, false); err != nil {
		t.Fatal(err)
	}
	h, err := r.scores(c, set, truth)
	if err != nil {
		t.Fatal(err)
	}
	if h.Top != 1 {
		t.Errorf("the scores go up to %g: those of covering images count", h.Top)
	}
}

// Plots of isolation's scores pass over defences that have none.
func TestSeparationIsOfABL(t *testing.T) {
	r := runner(t, &Grid{Name: "x", Data: "signs", Attacks: []string{"badnets"}, Defenses: []string{"auto"}, Seeds: []uint64{0}, Plots: []string{"separation"}}, t.TempDir())
	c := r.Grid.Cells()[0]
	if err := os.MkdirAll(r.folder(c), 0o755); err != nil {
		t.Fatal(err)
	}
	testfile.Write(t, filepath.Join(r.folder(c), runs.SuspectsFile), "index,source,label,rank,isolated,digest,probability,shows,doubtful\n")
	if made, err := r.separation(); err != nil || len(made) != 0 {
		t.Errorf("%d plots, %v", len(made), err)
	}
}

// Sets without a backdoor stand apart whatever the size of their images.
func TestSetsWithoutABackdoorStandApart(t *testing.T) {
	set := audit.MeasuredSet{Truth: "wanet", Size: 128, Images: 9469, Classes: 10}
	for want, s := range map[string]audit.MeasuredSet{"choosing, larger": set, "choosing, fails": {Truth: set.Truth, Size: set.Size, Fails: true}} {
		if got := measured([]audit.MeasuredSet{s}).Rows[0][0]; got != want {
			t.Errorf("%s, expected %s", got, want)
		}
	}
}

// Of an attack on images of one class, the label that these get is right, and no other that another class's would.
func TestVerdictsOnOneClassesImages(t *testing.T) {
	for label, want := range map[int][]bool{2: {false, true}, 3: {true, false}} {
		r := &Runner{Grid: &Grid{Name: "x", Data: "signs", Attacks: []string{"tact:source=1,target=2,targets=2", "tact:source=1,all_to_all=true"}, Defenses: []string{"auto"}}, Folder: t.TempDir()}
		if err := r.Grid.Check(); err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Grid.Cells() {
			if err := os.MkdirAll(r.folder(c), 0o755); err != nil {
				t.Fatal(err)
			}
			config, err := attack.Parse(c.Attack)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(map[string]any{
				"version": "0.2", "data": map[string]any{"classes": []string{"a", "b", "c", "d"}}, "attacks": []any{map[string]any{"name": "tact", "target": config.Target, "settings": config}},
				"verdict": map[string]any{"says": "poisoned", "targets": []any{map[string]any{"class": "x", "index": label, "says": "poisoned"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			testfile.Write(t, filepath.Join(r.folder(c), runs.ResultFile), string(text))
		}
		var got []bool
		for _, v := range r.Verdicts() {
			got = append(got, v.Right)
		}
		if !slices.Equal(got, want) {
			t.Errorf("label %d: right: %v, expected %v", label, got, want)
		}
	}
}
