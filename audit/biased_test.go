package audit

import (
	"context"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/train"
)

// Biased networks share what was compiled and nothing else: one is the same after others, of lessons of whatever size, as alone.
func TestBiasedNetworksStartAfresh(t *testing.T) {
	defer func(n int) { roundSteps = n }(roundSteps)
	roundSteps = 8
	set := signs.Render(4, 200, 10).Train
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	o := abl.Default()
	a := short()
	a.Epochs = 1
	all := isolate.Iota(set.Len())
	look := func(d *detector, round, images int) []float32 {
		p, err := d.train(context.Background(), 3, round, all[:images/2], all[images/2:images])
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	fresh := func() *detector { return &detector{r: &train.Run{Backend: b, Data: set}, o: o, a: a} }
	after, alone := fresh(), fresh()
	first := look(after, 0, 120)
	look(after, 1, biasedBatch/2)
	got, want := look(after, 2, 120), look(alone, 2, 120)
	if !slices.Equal(got, want) {
		t.Error("a network trained after others differs from the same one alone")
	}
	if slices.Equal(first, got) {
		t.Error("two rounds are the same network")
	}
}
