package abl

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

func TestFit(t *testing.T) {
	o := Default()
	for _, c := range []struct {
		images, batch, epochs int
		isolated              float64
	}{
		{50_000, 128, 4, 500}, {9_802, 128, 4, 98.02}, {5_000, 64, 4, 64}, {3_000, 32, 4, 64}, {1_200, 32, 9, 60}, {100, 32, 100, 5},
	} {
		f := o.Fit(c.images)
		if f.Batch != c.batch || f.IsolateEpochs != c.epochs || int(f.Isolation*float64(c.images)+0.5) != int(c.isolated+0.5) {
			t.Errorf("%d images: batch %d, %d epochs of isolation, %g isolated; expected %+v", c.images, f.Batch, f.IsolateEpochs, f.Isolation*float64(c.images), c)
		}
	}
	if plain := (Options{Recipe: train.Recipe{Batch: 128}}).Fit(1_000); plain.IsolateEpochs != 0 {
		t.Errorf("no isolation became %d epochs", plain.IsolateEpochs)
	}
}

// What was given stays, and isolation ends when it was told to.
func TestFitToKeepsWhatWasGiven(t *testing.T) {
	o := Default()
	o.Batch, o.Gamma = 64, 0.2
	for _, c := range []struct {
		given string
		want  func(o *Options)
	}{
		{"", func(*Options) {}},
		{"batch", func(f *Options) { f.Batch, f.IsolateEpochs = 64, 20 }}, // of 15 steps each: as many steps as with smaller batches
		{"gamma", func(f *Options) { f.IsolateMost = 0 }},
		{"gamma isolate_most", func(*Options) {}},
		{"isolate_epochs", func(f *Options) { f.IsolateEpochs, f.IsolateMost = 4, 0 }},
		{"isolation", func(f *Options) { f.Isolation = 0.01 }},
	} {
		want := o.Fit(1_000)
		if want.Batch == 64 || want.IsolateEpochs == 4 || want.Isolation == 0.01 {
			t.Fatal("a set so small needs other settings")
		}
		c.want(&want)
		if got := o.FitTo(1_000, func(s string) bool { return slices.Contains(strings.Fields(c.given), s) }); got != want {
			t.Errorf("with %q given: %+v, expected %+v", c.given, got, want)
		}
	}
}

// A set of numbers or names that there is not is refused, whichever part of the options it belongs to.
func TestCheck(t *testing.T) {
	for want, change := range map[string]func(o *Options){
		"batch 1":        func(o *Options) { o.Batch = 1 },
		"gamma -1":       func(o *Options) { o.Gamma = -1 },
		"tolerance 2":    func(o *Options) { o.Tolerance = 2 },
		`network "x"`:    func(o *Options) { o.Network = "x" },
		"another name":   func(o *Options) { o.Architecture = &model.Architecture{Name: o.Network} },
		`loss "x"`:       func(o *Options) { o.Loss = "x" },
		`ranking "x"`:    func(o *Options) { o.Rank = "x" },
		`unlearning "x"`: func(o *Options) { o.Unlearn = "x" },
		`schedule "x"`:   func(o *Options) { o.Schedule = "x" },
		"isolation 0":    func(o *Options) { o.Isolation = 0 },
		"nothing to do":  func(o *Options) { o.IsolateEpochs, o.TuneEpochs = 0, 0 },
		"0 steps":        func(o *Options) { o.UnlearnSteps = 0 },
	} {
		o := Default()
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %q", err, want)
		}
	}
	for name, o := range map[string]Options{"paper": Paper(), "demo": Demo()} {
		if err := o.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The names in results and grids are those of version 0.1.
func TestJSONNames(t *testing.T) {
	raw, err := json.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("network seed batch isolate_epochs isolate_rate isolate_most loss gamma sign rank isolation tune_epochs tune_rate schedule augment flip unlearn unlearn_steps unlearn_rate unlearn_limit tolerance held_back refine")
	slices.Sort(want)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Errorf("%q, expected %q", names, want)
	}
}
