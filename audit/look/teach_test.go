package look

import (
	"context"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Small networks share what was compiled and nothing else: one is the same after others, of lessons of whatever size, as alone;
// and those of two rounds, or of two looks, are not the same network.
func TestSmallNetworksStartAfresh(t *testing.T) {
	set := signs.Render(4, 200, 10).Train
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	all := rng.Iota(set.Len())
	fresh := func() *Case {
		c, err := NewCase(&train.Run{Backend: b, Data: set}, Settings{Steps: Steps{Round: 8}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	teach := func(c *Case, purpose string, round, images int) []float32 {
		p, err := c.Teach(context.Background(), purpose, 3, round, all[:images/2], all[images/2:images], nil, all)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	after, alone := fresh(), fresh()
	first := teach(after, "one", 0, 60)
	teach(after, "one", 1, pupilBatch/2)
	got, want := teach(after, "one", 2, 60), teach(alone, "one", 2, 60)
	if !slices.Equal(got, want) {
		t.Error("a network trained after others differs from the same one alone")
	}
	if slices.Equal(first, got) {
		t.Error("two rounds are the same network")
	}
	if slices.Equal(got, teach(alone, "another", 2, 60)) {
		t.Error("two looks train the same network")
	}
}
