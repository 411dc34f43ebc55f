package look

import (
	"context"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/train"
)

// Biased networks share what was compiled and nothing else: one is the same after others, of lessons of whatever size, as alone;
// and those of two rounds, or of two looks, are not the same network.
func TestBiasedNetworksStartAfresh(t *testing.T) {
	set := signs.Render(4, 200, 10).Train
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	all := stat.Iota(set.Len())
	fresh := func() *Case {
		c, err := NewCase(&train.Run{Backend: b, Data: set}, make([]float32, set.Len()), Settings{Biased: "small-cnn", Epochs: 1, Steps: Steps{Round: 8}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	teach := func(c *Case, purpose string, round, images int) []float32 {
		p, err := c.teach(context.Background(), Rounds{Purpose: purpose}, 3, round, all[:images/2], all[images/2:images], nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	after, alone := fresh(), fresh()
	first := teach(after, "biased", 0, 120)
	teach(after, "biased", 1, biasedBatch/2)
	got, want := teach(after, "biased", 2, 120), teach(alone, "biased", 2, 120)
	if !slices.Equal(got, want) {
		t.Error("a network trained after others differs from the same one alone")
	}
	if slices.Equal(first, got) {
		t.Error("two rounds are the same network")
	}
	if slices.Equal(got, teach(alone, "late", 2, 120)) {
		t.Error("two looks train the same network")
	}
	if slices.Equal(alone.others("biased", 3, 0, 20), alone.others("late", 3, 0, 20)) {
		t.Error("two looks draw the same images")
	}
}
