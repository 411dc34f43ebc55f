package experiment

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/train"
)

func small() *Grid {
	return &Grid{
		Name: "small", Data: "signs", Limit: 160, Test: 20, Model: "small-cnn", Attacks: []string{"none", "badnets:patch_size=5,target=9"},
		Defenses: []string{"fp:epochs=1", "abl", "unlearn:ft-last"}, Seeds: []uint64{0, 1}, Clean: 0.3,
		Settings: "batch=32,isolate_epochs=1,tune_epochs=2,unlearn_steps=2,refine=false,isolation=0.05", Plots: []string{"separation", "curves", "sweep"},
	}
}

func runner(t *testing.T, g *Grid, folder string) *Runner {
	t.Helper()
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	return &Runner{Grid: g, Folder: folder, Backend: b, Say: t.Logf}
}

// A grid that is stopped twice in the middle of a cell, with two cells at a time, ends in the same
// tables to the byte; and nothing that was finished is computed again.
func TestGridGoesOnAfterAStop(t *testing.T) {
	// Side by side they would share runs.
	whole, broken := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "broken")
	r := runner(t, small(), whole)
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := r.Write("command"); err != nil {
		t.Fatal(err)
	}
	for _, steps := range []int{15, 40} {
		ctx, stop := context.WithCancel(context.Background())
		r := runner(t, small(), broken)
		r.Jobs = 2
		r.Watch = func(_ Cell, e runs.Event) {
			if e.Event == "progress" {
				if steps--; steps == 0 {
					stop()
				}
			}
		}
		if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped: %v", err)
		}
		stop()
	}
	r = runner(t, small(), broken)
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := r.Write("command"); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"table.md", "table.csv", "table.json", "index.html"} {
		a := testfile.Read(t, filepath.Join(whole, f))
		b := testfile.Read(t, filepath.Join(broken, f))
		if string(a) != string(b) {
			t.Errorf("%s differs after the stops", f)
		}
	}
	for _, row := range r.Rows() {
		if want := 2; row.Seeds != want && (row.Attack != "none" || !strings.HasPrefix(row.Defense, "unlearn")) {
			t.Errorf("%s × %s: %d seeds finished", row.Attack, row.Defense, row.Seeds)
		}
	}
	done := filepath.Join(broken, "cells", "none.abl.0", runs.ResultFile)
	before, err := os.Stat(done)
	if err != nil {
		t.Fatal(err)
	}
	if err := runner(t, small(), broken).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(done); err != nil || after.ModTime() != before.ModTime() {
		t.Error("a finished cell was computed again")
	}
	fewer := small()
	fewer.Seeds = fewer.Seeds[:1]
	r = runner(t, fewer, broken)
	if err := r.Run(context.Background()); err != nil {
		t.Errorf("fewer seeds in the same folder: %v", err)
	}
	if after, err := os.Stat(done); err != nil || after.ModTime() != before.ModTime() {
		t.Error("a finished cell was computed again for fewer seeds")
	}
	other := small()
	other.Limit = 150
	if err := runner(t, other, broken).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "other data or settings") {
		t.Errorf("another grid in the same folder: %v", err)
	}
}

func TestBudgetStops(t *testing.T) {
	r := runner(t, small(), t.TempDir())
	r.Budget = time.Nanosecond
	if err := r.Run(context.Background()); !errors.Is(err, errBudget) {
		t.Errorf("without time: %v", err)
	}
}

func TestOneCell(t *testing.T) {
	r := runner(t, small(), t.TempDir())
	r.Only = "none.none.1"
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Grid.Cells() {
		if r.Done(c) != (c.Name() == r.Only) {
			t.Errorf("%s: done %v", c.Name(), r.Done(c))
		}
	}
	r.Only = "nothing"
	if err := r.Run(context.Background()); err == nil {
		t.Error("a cell that is not there ran")
	}
}

func TestCellsFollowWhatTheyNeed(t *testing.T) {
	for _, name := range PaperNames() {
		g, err := Paper(name, Data{}, false, []uint64{0, 1})
		if err != nil {
			t.Fatal(err)
		}
		cells := g.Cells()
		names := map[string]bool{}
		for i, c := range cells {
			for _, n := range c.Needs() {
				if k := slices.Index(cells, n); k < 0 || k > i {
					t.Errorf("%s: %s comes before %s", name, c.Name(), n.Name())
				}
			}
			if names[c.Name()] {
				t.Errorf("%s: two cells are called %s", name, c.Name())
			}
			names[c.Name()] = true
		}
	}
}

// The figures copied from the paper have the averages that the paper gives, but for NAD's ASR on GTSRB:
// the paper says 19.17, its five figures make 16.40.
func TestPublishedAverages(t *testing.T) {
	for data, want := range map[string][5]pairOf{
		"cifar10": {{97.73, 83.55}, {75.07, 80.62}, {24.38, 76.56}, {20.40, 80.37}, {7.69, 84.76}},
		"gtsrb":   {{99.38, 96.80}, {94.35, 87.68}, {21.88, 83.01}, {16.40, 87.04}, {7.27, 95.25}},
		"photos":  {{99.63, 85.53}, {93.06, 82.55}, {19.91, 77.52}, {13.35, 81.80}, {6.00, 86.87}},
	} {
		for k, w := range want {
			var sum pairOf
			n := 0.0
			for attack, row := range published[data] {
				if attack != "none" {
					sum.asr, sum.ca = sum.asr+row[k].asr, sum.ca+row[k].ca
					n++
				}
			}
			if math.Abs(sum.asr/n-w.asr) > 0.011 || math.Abs(sum.ca/n-w.ca) > 0.011 {
				t.Errorf("%s, %s: averages %.2f and %.2f, the paper has %.2f and %.2f", data, paperDefenses()[k], sum.asr/n, sum.ca/n, w.asr, w.ca)
			}
		}
	}
}

func TestWrongGridsAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"name: a\ndata: signs\nattacks: [none]\n":                                                     "defenses",
		"name: a b\ndata: signs\nattacks: [none]\ndefenses: [none]\n":                                 "a word",
		"name: a\ndata: signs\nattacks: [magic]\ndefenses: [none]\n":                                  "magic",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [magic]\n":                                  "magic",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"abl:gama=1\"]\n":                         "gamma",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"nad:gamma=1\"]\n":                        "beta",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\ncolour: red\n":                      "colour",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nmodel: big\n":                       "wrn-16-1",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nsettings: \"batch=many\"\n":         "does not take",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nclean: 3\n":                         "share",
		"name: a\ndata: signs\nattacks: [\"blend:alpha\"]\ndefenses: [none]\n":                        "key=value",
		"name: a\ndata: signs\nattacks: [\"badnets:rate=2\"]\ndefenses: [none]\n":                     "rate 2",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"abl:schedule=odd\"]\n":                   "one-cycle",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"auto:inspect_epochs=-2\"]\n":             "inspect_epochs -2",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"nad:beta=-1\"]\n":                        "beta -1",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nlimit: -5\n":                        "limit -5",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nplots: [curves, foo]\n":             "curves, separation, sweep",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nplain_for: {badnet: batch=8}\n":     "no attack \"badnet\"",
		"name: a\ndata: signs\nattacks: [blend]\ndefenses: [auto, before]\nplain: tune_epochs=8\n":    "the defence before in another way",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"none:tune_epochs=3\"]\n":                 "takes no settings",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"unlearn:magic\"]\n":                      "grad-noise",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"unlearn:\"]\n":                           "grad-noise",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"auto:gama=1\"]\n":                        "content_epochs",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"auto:contents=false\"]\n":                "gamma",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"abl:seed=3\"]\n":                         "seeds_for",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [\"nad:seed=3\"]\n":                         "seeds_for",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nsettings: \"batch=8,seed=3\"\n":     "seeds_for",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nplain_for: {blend: \"seed=3\"}\n":   "seeds_for",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none, abl]\nseeds_for: {nad: [1]}\n":       "it has none, abl",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\ncolor: red\n":                       "title, data",
		"name: [a]\ndata: signs\nattacks: [none]\ndefenses: [none]\n":                                 "line 1",
		"name: a\ndata: signs\nattacks: [none]\ndefenses: [none]\nsettings: \"network=huge\"\nx: 1\n": "line",
	} {
		path := filepath.Join(t.TempDir(), "grid.yaml")
		testfile.Write(t, path, text)
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "grid.yaml") {
			t.Errorf("%q: got %v, expected the file and something about %q", text, err, want)
		}
	}
}

// A defence on a trained model flips no images that it, or the recipe, does not let be flipped.
func TestRepairsFlipAsTold(t *testing.T) {
	for _, c := range []struct {
		defense    string
		flip, want bool
	}{{"nad", true, true}, {"nad", false, false}, {"nad:flip=false", true, false}, {"fp:flip=true", false, false}} {
		if _, o, err := (Cell{Defense: c.defense, Seed: 7}).repair(100, train.Recipe{Flip: c.flip}); err != nil || o.Flip != c.want || o.Seed != 7 {
			t.Errorf("%s: %+v, %v", c.defense, o, err)
		}
	}
}

// Settings of all trainings are those of the defences on a trained model too.
func TestRepairsAreTrainedAsTold(t *testing.T) {
	g := &Grid{
		Name: "x", Data: "signs", Limit: 160, Test: 20, Model: "small-cnn", Attacks: []string{"badnets:target=9"}, Defenses: []string{"fp:epochs=1", "unlearn:retrain"}, Clean: 0.3,
		Settings: "batch=16,augment=false,tune_rate=0.03,schedule=cosine,isolate_epochs=1,tune_epochs=1,unlearn=none,isolation=0.05",
	}
	r := runner(t, g, t.TempDir())
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for defense, want := range map[string]map[string]any{
		"fp:epochs=1":     {"no_augment": true},
		"unlearn:retrain": {"batch": 16.0, "scratch_epochs": 1.0, "scratch_rate": 0.03, "scratch_schedule": "cosine"},
	} {
		got := r.result(Cell{Attack: g.Attacks[0], Defense: defense}).Repair.Options.(map[string]any)
		for key, v := range want {
			if got[key] != v {
				t.Errorf("%s: %s is %v, expected %v", defense, key, got[key], v)
			}
		}
	}
}

// A sweep is over one setting of one defence; a folder with another one, of an earlier version, can be read.
func TestSweepIsOfOneSetting(t *testing.T) {
	for _, c := range []struct {
		defenses []string
		want     string
	}{
		{[]string{"abl:gamma=1", "abl:isolation=0.1"}, "abl:gamma=1 and abl:isolation=0.1 differ in two"},
		{[]string{"abl:batch=8", "abl", "nad:batch=8"}, "sweep is over one setting of one defence"},
	} {
		g := small()
		g.Defenses, g.Plots = c.defenses, []string{"sweep"}
		if err := g.Check(); err != nil {
			t.Error(err)
		}
		if err := runner(t, g, t.TempDir()).Run(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.defenses, err)
		}
	}
}

// Grids side by side train what they have in common once, and only that; what was taken over gives the same table.
func TestGridsShareTrainings(t *testing.T) {
	set := t.TempDir()
	first := small()
	first.Defenses, first.Seeds = []string{"none", "abl:gamma=0.5"}, []uint64{0}
	r := runner(t, first, filepath.Join(set, "first"))
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	second := small()
	second.Name, second.Defenses, second.Seeds = "second", []string{"abl", "abl:gamma=1"}, []uint64{0}
	var ran []string
	s := runner(t, second, filepath.Join(set, "second"))
	s.Watch = func(c Cell, _ runs.Event) {
		if !slices.Contains(ran, c.Name()) {
			ran = append(ran, c.Name())
		}
	}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"none.abl-gamma1.0", "badnets-patch_size5-target9.abl-gamma1.0"}; !slices.Equal(ran, want) {
		t.Errorf("ran %v, expected %v", ran, want)
	}
	alone := runner(t, second, filepath.Join(t.TempDir(), "second"))
	if err := alone.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Rows(), alone.Rows(); !reflect.DeepEqual(got, want) {
		t.Errorf("with shared runs %v, alone %v", got, want)
	}
	other := small()
	other.Limit, other.Defenses, other.Seeds = 150, []string{"none"}, []uint64{0}
	o := runner(t, other, filepath.Join(set, "other"))
	o.Budget = time.Nanosecond
	if err := o.Run(context.Background()); !errors.Is(err, errBudget) || o.Done(o.Grid.Cells()[0]) {
		t.Errorf("another number of images took a run over (%v)", err)
	}

	file := filepath.Join(t.TempDir(), "results.md")
	saved, err := Saved(context.Background(), filepath.Dir(r.Folder), filepath.Base(r.Folder), "", r.Backend, "")
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	planted := func(r *Runner) bool {
		return slices.ContainsFunc(r.drawn, func(d drawn) bool { return strings.HasPrefix(d.name, "separation") })
	}
	if stopped, err := Saved(ended, filepath.Dir(r.Folder), filepath.Base(r.Folder), "", r.Backend, ""); err != nil || planted(stopped) || !planted(saved) {
		t.Errorf("attacks are planted again after an interrupt, or not at all: %v", err)
	}
	if err := s.Write("command"); err != nil {
		t.Fatal(err)
	}
	if err := Results(set, file, "Title", []*Runner{saved, s}, false, (*Grid).PaperCommand); err != nil {
		t.Fatal(err)
	}
	text := testfile.Read(t, file)
	for _, link := range regexp.MustCompile(`\]\((.*?)\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), link[1])); err != nil {
			t.Errorf("the plot %s is missing", link[1])
		}
	}
	for _, want := range []string{"# Title", "results/second-sweep-ca.svg", "4 of 4 runs finished", "unpoison experiment paper second --limit 160 --out DIR"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("results.md lacks %q", want)
		}
	}
}

func TestADefenceCanHaveMoreSeeds(t *testing.T) {
	g := &Grid{Name: "x", Data: "signs", Attacks: []string{"none", "badnets"}, Defenses: []string{"none", "abl:gamma=1", "nad"}, SeedsFor: map[string][]uint64{"abl": {0, 7}}}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range g.Cells() {
		names = append(names, c.Name())
	}
	want := []string{
		"none.none.0", "none.abl-gamma1.0", "none.nad.0", "badnets.none.0", "badnets.abl-gamma1.0", "badnets.nad.0",
		"none.abl-gamma1.7", "badnets.abl-gamma1.7",
	}
	if !slices.Equal(names, want) {
		t.Errorf("cells %v, expected %v", names, want)
	}
	g.SeedsFor = map[string][]uint64{"mcr": {1}}
	if err := g.Check(); err == nil || !strings.Contains(err.Error(), "mcr") {
		t.Errorf("more seeds for a defence that is not there: %v", err)
	}
}

func TestFewerImagesAreSaid(t *testing.T) {
	g, err := Paper("gamma", Data{CIFAR10: "cifar10:DIR", Limit: 10000}, false, []uint64{0})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(g.title(), "10000 training images") {
		t.Errorf("title %q", g.title())
	}
	if want := "unpoison experiment paper gamma --data cifar10:DIR --limit 10000 --out DIR"; g.PaperCommand() != want {
		t.Errorf("command %q, expected %q", g.PaperCommand(), want)
	}
}
