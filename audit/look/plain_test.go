package look

import (
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
