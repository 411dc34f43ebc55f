package audit

import (
	"context"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/dataset/signs"
)

// Rates of errors are those of one configuration, whatever the data's size and the final training. They were told of other
// isolations too, such as another γ or the paper's recipe.
func TestMeasuredRatesAreTheDefaults(t *testing.T) {
	of := func(o abl.Options, a Options, images int) *ErrorRates {
		d, err := a.Digest(isolationOf(o, images))
		if err != nil {
			t.Fatal(err)
		}
		if m := measured(d); m != nil {
			return m
		}
		t.Logf("%s", d)
		return nil
	}
	for _, images := range []int{400, 5000, 50000} {
		o, a := abl.Default().Fit(images), Default()
		o.Seed, o.TuneEpochs, o.Schedule, o.Unlearn, o.Flip, a.Against, a.Stamp = 7, 1, "cosine", "none", false, 0, false
		if of(o, a, images) == nil {
			t.Errorf("%d images: the default search comes without rates", images)
		}
		for name, change := range map[string]func(o *abl.Options, a *Options){
			"network":   func(o *abl.Options, _ *Options) { o.Network = "small-cnn" },
			"gamma":     func(o *abl.Options, _ *Options) { o.Gamma = 0.1 },
			"isolation": func(o *abl.Options, _ *Options) { o.Isolation *= 2 },
			"epochs":    func(o *abl.Options, _ *Options) { o.IsolateEpochs++ },
			"paper":     func(o *abl.Options, _ *Options) { *o = abl.Paper() },
			"rounds":    func(_ *abl.Options, a *Options) { a.Rounds-- },
			"inspect":   func(_ *abl.Options, a *Options) { a.InspectEpochs++ },
		} {
			o, a := o, a
			change(&o, &a)
			if of(o, a, images) != nil {
				t.Errorf("%d images, another %s: it comes with rates", images, name)
			}
		}
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
