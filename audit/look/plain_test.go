package look

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/train"
)

// A training goes on from the plain network only where something was found, and the network learnt none of it.
func TestUnspoilt(t *testing.T) {
	const images = 40
	learnt := make([]float32, images)
	for i := range images / 2 {
		learnt[i] = 1
	}
	for name, k := range map[string]struct {
		learnt []float32
		found  []int
		want   bool
	}{
		"nothing found": {learnt, nil, false},
		"never trained": {nil, []int{images - 1}, false},
		"learnt a bit":  {learnt, []int{3, images - 1}, false},
		"no plain one":  {learnt, []int{images - 2}, false},
		"learnt no bit": {learnt, []int{images - 2, images - 1}, true},
	} {
		found := make([]float32, images)
		for _, i := range k.found {
			found[i] = 1
		}
		found[0] = Flagged // no suspect
		r := &train.Run{Data: signs.Render(1, images, 0).Train, Batch: 8, Arrays: map[string][]float32{foundKey: found}}
		if k.learnt != nil {
			r.Arrays[freeKey] = k.learnt
		}
		settings := Settings{PlainEpochs: 8, Rate: 0.1}
		if name == "no plain one" {
			settings.PlainEpochs = 0
		}
		c, err := NewCase(r, settings)
		if err != nil {
			t.Fatal(err)
		}
		if epochs := c.Unspoilt(); (epochs > 0) != k.want {
			t.Errorf("%s: goes on after %d epochs, expected %v", name, epochs, k.want)
		}
	}
}

// A plain training that diverges begins again at half of the learning rate, a few times.
func TestPlainTrainingThatDivergesIsSlower(t *testing.T) {
	for _, k := range []struct {
		rate   float64
		slower bool
		gives  bool // a network
	}{{0.05, false, true}, {100, true, true}, {1e6, true, false}} {
		r, c := trained(t, signs.Render(1, 64, 0).Train, 32, Settings{PlainEpochs: 2, Rate: k.rate, Steps: Steps{Plain: 8}})
		notes := 0
		r.Watch = func(e train.Event) { notes += strings.Count(e.Note, "half") }
		p, err := c.Plain(context.Background())
		var d *train.DivergedError
		if (p != nil) != k.gives || !k.gives && !errors.As(err, &d) || k.gives && err != nil {
			t.Errorf("at a rate of %g: %v", k.rate, err)
		}
		if (c.saved.Slower > 0) != k.slower || notes != c.saved.Slower {
			t.Errorf("at a rate of %g: slower %d times, said %d times, expected some: %v", k.rate, c.saved.Slower, notes, k.slower)
		}
	}
}
