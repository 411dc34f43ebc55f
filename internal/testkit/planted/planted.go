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
	d := signs.Render(seed, train, test)
	c := attack.Defaults("badnets")
	c.Target, c.Own = Target, &attack.BadNets{PatchSize: 5}
	a, set, poisoned := Poison(t, c, d.Train)
	triggered, err := a.Triggered(context.Background(), d.Test)
	if err != nil {
		t.Fatal(err)
	}
	return &Signs{Train: set, Test: d.Test, Clean: d.Train, Poisoned: poisoned, Triggered: triggered}
}

// Poison plants an attack in a copy of the images and says which it poisoned.
func Poison(t testing.TB, c attack.Config, clean *dataset.Set) (a *attack.Attack, set *dataset.Set, poisoned []bool) {
	t.Helper()
	a, err := attack.New(context.Background(), c, clean, attack.Env{})
	if err != nil {
		t.Fatal(err)
	}
	set, truth, err := a.Poison(context.Background(), clean)
	if err != nil {
		t.Fatal(err)
	}
	return a, set, truth.Poisoned
}
