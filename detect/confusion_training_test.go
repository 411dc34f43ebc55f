package detect

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// coloured returns images of one colour each, their class, under noise. Of those that are planted every tenth has a white corner
// and the label 0.
func coloured(n int, planted bool) (*dataset.Set, []bool) {
	const side = 16
	set := &dataset.Set{Classes: []string{"red", "green", "blue"}, Height: side, Width: side, Pixels: make([]uint8, n*side*side*3), Labels: make([]int32, n)}
	r, truth := rand.New(rand.NewPCG(1, uint64(n))), make([]bool, n)
	for i := range n {
		class := i % 3
		image := set.Image(i)
		for k := range image {
			image[k] = uint8(r.IntN(120))
			if k%3 == class {
				image[k] += 40
			}
		}
		set.Labels[i] = int32(class)
		if planted && i%10 == 0 && class != 0 {
			for y := range 4 {
				for k := range 4 * 3 {
					image[y*side*3+k] = 255
				}
			}
			set.Labels[i], truth[i] = 0, true
		}
	}
	return set, truth
}

// After a round of confusion the network no longer knows what images show, but still what the trigger says; the network that it
// was given stays as it was.
func TestConfusionLeavesTheTrigger(t *testing.T) {
	ctx := context.Background()
	backend, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	set, truth := coloured(600, true)
	clean, _ := coloured(90, false)
	network, err := model.New("small-cnn", 3, set.Height, set.Width)
	if err != nil {
		t.Fatal(err)
	}
	state := network.Init(1)
	p := train.Phase{Name: "tune", Data: set, Indices: rng.Iota(set.Len()), Batch: 32, Epochs: 4, Schedule: train.OneCycle(0.1, 0.2), Seed: 1}
	if err := p.Tune(ctx, backend, &train.Module{Net: network, State: state}, nil); err != nil {
		t.Fatal(err)
	}
	in := &Input{Backend: backend, Network: network, State: state, Data: set, Clean: clean, Seed: 1}
	fitted := func(s model.State) (planted, others float64) {
		e, err := evaluate.Of(backend, network, s)
		if err != nil {
			t.Fatal(err)
		}
		var hits, of [2]float64
		err = e.Logits(ctx, set, func(i int, z []float32) {
			k := 0
			if truth[i] {
				k = 1
			}
			of[k]++
			if evaluate.TopClass(z) == int(set.Labels[i]) {
				hits[k]++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return hits[1] / of[1], hits[0] / of[0]
	}
	if planted, others := fitted(state); planted < 0.9 || others < 0.9 {
		t.Fatalf("before: %.2f of the planted and %.2f of the other images fit, expected nearly all", planted, others)
	}
	digest := state.Digest()
	confusedState, err := confuse(ctx, in, 0, state, rng.Iota(set.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if state.Digest() != digest {
		t.Error("confusion changed the network that it was given")
	}
	if planted, others := fitted(confusedState); planted < 0.9 || others > 0.5 {
		t.Errorf("after: %.2f of the planted and %.2f of the other images fit, expected nearly all and few", planted, others)
	}
}
