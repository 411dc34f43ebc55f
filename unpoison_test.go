package unpoison

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/train"
)

// Rates of errors are those of one configuration, whatever the data's size and the final training. They were told of other
// isolations too, such as another γ or the paper's recipe.
func TestMeasuredRatesAreTheDefaults(t *testing.T) {
	of := func(r train.Recipe, i isolate.Options, a audit.Options, images int) *audit.ErrorRates {
		m, err := a.RatesFor(configuration(r, i, images, 1))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, images := range []int{400, 5000, 50000} {
		r, i, a := Options{Seed: 7}.fit(&dataset.Data{Layout: "folder", Train: &dataset.Set{Labels: make([]int32, images)}})
		r.TuneEpochs, r.Schedule, r.Flip, a.Against, a.Stamp = 1, "cosine", false, 0, false
		if of(r, i, a, images) == nil {
			t.Errorf("%d images: the default search comes without rates", images)
		}
		if m, err := a.RatesFor(configuration(r, i, images, 2)); err != nil || m != nil {
			t.Errorf("%d images, a network with a stem: %v, %v", images, m, err)
		}
		for name, change := range map[string]func(r *train.Recipe, i *isolate.Options, a *audit.Options){
			"network":   func(r *train.Recipe, _ *isolate.Options, _ *audit.Options) { r.Network = "small-cnn" },
			"batch":     func(r *train.Recipe, _ *isolate.Options, _ *audit.Options) { r.Batch++ },
			"rate":      func(r *train.Recipe, _ *isolate.Options, _ *audit.Options) { r.TuneRate /= 2 },
			"gamma":     func(_ *train.Recipe, i *isolate.Options, _ *audit.Options) { i.Gamma = 0.1 },
			"isolation": func(_ *train.Recipe, i *isolate.Options, _ *audit.Options) { i.Isolation *= 2 },
			"epochs":    func(_ *train.Recipe, i *isolate.Options, _ *audit.Options) { i.IsolateEpochs++ },
			"rank":      func(_ *train.Recipe, i *isolate.Options, _ *audit.Options) { i.Rank = "final" },
			"rounds":    func(_ *train.Recipe, _ *isolate.Options, a *audit.Options) { a.Rounds-- },
			"inspect":   func(_ *train.Recipe, _ *isolate.Options, a *audit.Options) { a.InspectEpochs++ },
		} {
			r, i, a := r, i, a
			change(&r, &i, &a)
			if of(r, i, a, images) != nil {
				t.Errorf("%d images, another %s: it comes with rates", images, name)
			}
		}
	}
}

// Options that can't be are refused before anything is trained.
func TestOptionsAreChecked(t *testing.T) {
	d := signs.Render(1, 100, 10)
	for _, a := range []audit.Options{
		{Epochs: 1, Share: 0.1},
		{Rounds: 1, Share: 0.1},
		{Rounds: 1, Epochs: 1},
		{Rounds: 1, Epochs: 1, Share: 0.1, Network: "odd"},
		{Rounds: 1, Epochs: 1, Share: 0.1, Network: "small-cnn", InspectEpochs: -1},
		{Epochs: 1, Share: 0.1, Network: "small-cnn"},
		{Rounds: 1, Epochs: 1, Share: 0.1, Network: "small-cnn", Against: 2},
	} {
		if _, err := Audit(context.Background(), d, Options{Search: &a}); err == nil {
			t.Errorf("%+v was taken", a)
		}
	}
	none := isolate.Default()
	none.IsolateEpochs = 0
	if _, err := Audit(context.Background(), d, Options{Isolate: &none}); err == nil {
		t.Error("no isolation was taken")
	}
	if _, err := Audit(context.Background(), d, Options{Network: "odd"}); err == nil {
		t.Error("an odd network was taken")
	}
}

// Road signs are never flipped, and small data get smaller batches, as on the command line.
func TestFitsTheData(t *testing.T) {
	set := &dataset.Set{Labels: make([]int32, 1200)}
	for layout, want := range map[string]bool{"gtsrb": false, "signs": false, "folder": true} {
		r, i, _ := Options{}.fit(&dataset.Data{Layout: layout, Train: set})
		if r.Flip != want || r.Batch != 32 || i.IsolateEpochs != 9 {
			t.Errorf("%s: flip %v, batch %d, %d epochs of isolation", layout, r.Flip, r.Batch, i.IsolateEpochs)
		}
	}
}
