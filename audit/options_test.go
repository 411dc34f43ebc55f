package audit

import (
	"context"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/dataset/signs"
)

// Rates of errors were measured with all parts of the search as they are by default.
func TestMeasuredRatesAreTheDefaults(t *testing.T) {
	a := Default()
	a.Against = 0
	if m := a.measured("wrn-16-1"); m == nil || *m != Measured() {
		t.Errorf("the default search comes with %+v", m)
	}
	if m := a.measured("small-cnn"); m != nil {
		t.Errorf("another network comes with %+v", m)
	}
	a.Rounds--
	if m := a.measured("wrn-16-1"); m != nil {
		t.Errorf("another search comes with %+v", m)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	d := signs.Render(1, 100, 10)
	for _, a := range []Options{{Epochs: 1, Share: 0.1}, {Rounds: 1, Share: 0.1}, {Rounds: 1, Epochs: 1}, {Rounds: 1, Epochs: 1, Share: 0.1, Network: "odd"}, {Rounds: 1, Epochs: 1, Share: 0.1, Network: "small-cnn", InspectEpochs: -1}, {Epochs: 1, Share: 0.1, Network: "small-cnn"}, {Rounds: 1, Epochs: 1, Share: 0.1, Network: "small-cnn", Against: 2}} {
		if _, err := Audit(context.Background(), d.Train, recipe(), a, abl.Settings{}); err == nil {
			t.Errorf("%+v was taken", a)
		}
	}
	o := recipe()
	o.IsolateEpochs = 0
	if _, err := Audit(context.Background(), d.Train, o, Default(), abl.Settings{}); err == nil {
		t.Error("no isolation was taken")
	}
}

// Training is set against some of the removed images, never against more than half of them, so that the rest can judge it.
func TestAgainst(t *testing.T) {
	for _, c := range []struct {
		removed, kept int
		share         float64
		want          int
	}{{1000, 9000, 0.02, 180}, {100, 9000, 0.02, 50}, {100, 9000, 0, 0}, {1, 9000, 0.02, 0}, {0, 9000, 0.02, 0}} {
		var removed []int
		for i := range c.removed {
			removed = append(removed, 3*i)
		}
		against, rest := Options{Against: c.share}.against(removed, c.kept, 1)
		all := slices.Concat(against, rest)
		slices.Sort(all)
		if len(against) != c.want || !slices.Equal(all, removed) {
			t.Errorf("of %d images, with %d kept: against %d, %d left", c.removed, c.kept, len(against), len(rest))
		}
	}
}
