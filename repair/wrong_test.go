package repair

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// Images that the network does not take are refused by every method, before anything is computed.
func TestWrongImagesAreRefused(t *testing.T) {
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	wrong := func(change func(s *dataset.Set)) *dataset.Set {
		s := signs.Render(0, 200, 10).Train.Clone()
		change(s)
		return s
	}
	for want, s := range map[string]*dataset.Set{
		"the label 10": wrong(func(s *dataset.Set) { s.Labels[3] = 10 }),
		"9 classes":    wrong(func(s *dataset.Set) { s.Classes = s.Classes[:9] }),
		"bytes":        wrong(func(s *dataset.Set) { s.Pixels = s.Pixels[:100] }),
		"32×16 pixels": wrong(func(s *dataset.Set) { s.Height = 16 }),
		"found nil":    nil,
	} {
		for _, m := range Methods() {
			_, err := Run(context.Background(), m, &Job{Network: n, Clean: s, Options: Defaults(m.Name, 200)})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, expected %q", m.Name, err, want)
			}
		}
		for _, m := range UnlearnMethods() {
			_, err := Unlearn(context.Background(), m, &UnlearnJob{Network: n, Data: s, Kept: rng.Iota(150), Isolated: []int{150}, Options: DefaultUnlearn(150)})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, expected %q", m.Name, err, want)
			}
		}
	}
	whole := wrong(func(*dataset.Set) {})
	for _, j := range []*UnlearnJob{{Kept: rng.Iota(150), Isolated: []int{200}}, {Kept: []int{0, -1}, Isolated: []int{150}}} {
		j.Network, j.Data, j.Options = n, whole, DefaultUnlearn(150)
		if _, err := Unlearn(context.Background(), UnlearnMethods()[0], j); err == nil || !strings.Contains(err.Error(), "from 0 to 199") {
			t.Errorf("images that there are not: %v", err)
		}
	}
}

// A share that is none draws nothing, and all of it is the set.
func TestDrawOfOddShares(t *testing.T) {
	d := signs.Render(0, 40, 10).Train
	for share, want := range map[float64]int{-1: 0, 0: 0, math.NaN(): 0, 0.1: 4, 1: 40, 7: 40} {
		if got := Draw(d, share, 1).Len(); got != want {
			t.Errorf("%g of 40 images are %d", share, got)
		}
	}
}
