package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/repeating"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// seen is all that comes out of a training.
type seen struct {
	weights, momenta []float32
	epochs           []float64
	losses           [][]float32
	notes            int
}

func trained(t *testing.T, b backends.Backend, p *Phase, loss Loss, stopAt int) (s seen) {
	t.Helper()
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, resume := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := &Run{Backend: b, Network: n, Data: p.Data, Seed: 1, Batch: 2, Folder: folder, Digest: "d"}
		if _, err := r.Start(resume); err != nil {
			t.Fatal(err)
		}
		steps := 0
		r.Watch = func(e Event) {
			switch {
			case e.Progress != nil:
				if steps++; steps == stopAt && !resume {
					cancel()
				}
			case e.Epoch > 0:
				s.epochs, s.losses = append(s.epochs, e.Loss), append(s.losses, slices.Clone(e.Losses))
			default:
				s.notes++
			}
		}
		err := r.Stage("a", func() error { return r.Train(ctx, p, loss, nil) })
		if stopAt > 0 && !resume {
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped at step %d: %v", stopAt, err)
			}
			for _, m := range r.momenta {
				s.momenta = append(s.momenta, m...)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.State {
			s.weights = append(s.weights, x.Data...)
		}
		return s
	}
	return s
}

// apart is the distance of two lists of numbers as a share of their size.
func apart(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var d, size float64
	for i, v := range a {
		d, size = d+float64(v-b[i])*float64(v-b[i]), size+float64(v)*float64(v)
	}
	return math.Sqrt(d / max(size, 1e-30))
}

// TestManyStepsACallAreTheSame: the images that stay on the engine, augmented there, give the training that one step a call gives.
func TestManyStepsACallAreTheSame(t *testing.T) {
	ours, err := cpu.New("threads=1")
	if err != nil {
		t.Fatal(err)
	}
	set := signs.Render(1, 140, 0).Train
	wrong := int32(3)
	for name, c := range map[string]struct {
		augment augment.Options
		more    []Example
		loss    Loss
		rate    float64
		within  float64 // relatively; what rounds otherwise grows with the steps
	}{
		"plain":    {augment.Options{}, nil, LocalGradientAscent(0.5, true), 0.05, 1e-5},
		"standard": {augment.Standard(32, true), []Example{{Image: 5, Label: &wrong}, {Image: 7, Label: &wrong}}, Mean, 0.05, 1e-5},
		"coarse":   {augment.Options{Coarse: true, Flip: true}, nil, Mean, 0.001, 1e-3},
	} {
		p := &Phase{Name: "test", Data: set, Indices: rng.Iota(set.Len())[3:], More: c.more, Epochs: 2, Schedule: OneCycle(c.rate, 0.2), Augment: c.augment, Seed: 3}
		many := &repeating.Backend{Backend: ours}
		want, got := trained(t, ours, p, c.loss, 0), trained(t, many, p, c.loss, 0)
		each := p.Len() / 2
		if many.Calls != 2*((each+callSteps-1)/callSteps) || many.Steps != 2*each {
			t.Errorf("%s: %d steps in %d calls, an epoch has %d", name, many.Steps, many.Calls, each)
		}
		if d := apart(want.weights, got.weights); !(d < c.within) {
			t.Errorf("%s: the weights are %.2g apart", name, d)
		}
		for k := range want.epochs {
			if d := apart(want.losses[k], got.losses[k]); !(d < c.within) || math.Abs(want.epochs[k]-got.epochs[k]) > c.within {
				t.Errorf("%s: epoch %d: losses %.2g apart, means %g and %g", name, k, d, want.epochs[k], got.epochs[k])
			}
		}
	}
}

// TestManyStepsACallGoOn: a training stopped between two calls goes on to the same bytes, and on an engine that does one step a
// call to the same training; a stop is obeyed after the call that it falls into.
func TestManyStepsACallGoOn(t *testing.T) {
	ours, err := cpu.New("threads=1")
	if err != nil {
		t.Fatal(err)
	}
	many := &repeating.Backend{Backend: ours}
	set := signs.Render(1, 140, 0).Train
	p := &Phase{Name: "test", Data: set, Indices: rng.Iota(set.Len()), Epochs: 2, Schedule: OneCycle(0.05, 0.2), Augment: augment.Standard(32, true), Seed: 3}
	each := p.Len() / 2
	want := trained(t, many, p, Mean, 0)
	for _, at := range []int{1, each, each + 1} {
		got := trained(t, many, p, Mean, at)
		if !slices.Equal(got.weights, want.weights) {
			t.Errorf("stopped after step %d of %d an epoch, the bytes differ", at, each)
		}
		if !slices.Equal(got.epochs, want.epochs) {
			t.Errorf("stopped at step %d, the epochs' losses were %g, not %g", at, got.epochs, want.epochs)
		}
	}
	if got := trained(t, &repeating.Backend{Backend: ours, Fail: errors.New("no")}, p, Mean, 0); got.notes != 1 || !slices.Equal(got.weights, trained(t, ours, p, Mean, 0).weights) {
		t.Errorf("an engine that can't repeat after all: %d notes", got.notes)
	}
}

// Divergence is told with its step, and what is stamped goes the other way.
func TestManyStepsACallDiverge(t *testing.T) {
	ours, err := cpu.New("threads=1")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	set := signs.Render(1, 140, 0).Train
	many := &repeating.Backend{Backend: ours}
	r := &Run{Backend: many, Network: n, Data: set, Seed: 1, Batch: 2}
	if _, err := r.Start(false); err != nil {
		t.Fatal(err)
	}
	p := &Phase{Name: "test", Data: set, Indices: rng.Iota(set.Len()), Epochs: 1, Schedule: Constant(1e6), Seed: 3}
	var d *DivergedError
	if err := r.Train(t.Context(), p, Mean, nil); !errors.As(err, &d) || d.Step > callSteps || many.Calls != 1 {
		t.Errorf("got %v after %d calls", err, many.Calls)
	}
	p.More = []Example{{Image: 1, Stamp: &augment.Stamp{Scale: make([]float32, set.ImageBytes()), Shift: make([]float32, set.ImageBytes())}}}
	p.Schedule = Constant(1e-3)
	if err := r.Train(t.Context(), p, Mean, nil); err != nil || many.Calls != 1 {
		t.Errorf("%v; %d calls", err, many.Calls)
	}
}
