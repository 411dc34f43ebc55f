package abl

import (
	"slices"
	"strings"
	"testing"
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
	if plain := (Options{Batch: 128}).Fit(1_000); plain.IsolateEpochs != 0 {
		t.Errorf("no isolation became %d epochs", plain.IsolateEpochs)
	}
}

func TestMeanLeavesOutWhatTookNoPart(t *testing.T) {
	if got := mean([]float32{1, -1, 2, -1}); got != 1.5 {
		t.Errorf("mean %g, expected 1.5", got)
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
		{"batch", func(f *Options) { f.Batch = 64 }},
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
