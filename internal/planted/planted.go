// Package planted gives tests a poisoned data set within a second.
package planted

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// Target is the class that stickers lead to.
const Target = 9

// Signs are rendered road signs of which a tenth carry a sticker and the label Target.
type Signs struct {
	Train, Test *dataset.Set // the test images are as they were
	Clean       *dataset.Set // the training images without stickers, with their own labels
	Poisoned    []bool       // of the training images
	Triggered   *dataset.Set // test images of other classes, with stickers
}

// Render draws signs and plants the stickers.
func Render(t testing.TB, seed uint64, train, test int) *Signs {
	t.Helper()
	ctx := context.Background()
	d := signs.Render(seed, train, test)
	c := attack.Defaults("badnets")
	c.Target, c.PatchSize = Target, 5
	a, err := attack.New(ctx, c, d.Train, attack.Env{})
	if err != nil {
		t.Fatal(err)
	}
	set, truth, err := a.Poison(ctx, d.Train)
	if err != nil {
		t.Fatal(err)
	}
	triggered, err := a.Triggered(ctx, d.Test)
	if err != nil {
		t.Fatal(err)
	}
	return &Signs{Train: set, Test: d.Test, Clean: d.Train, Poisoned: truth.Poisoned, Triggered: triggered}
}
