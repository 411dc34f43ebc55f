//go:build xla

package engines_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/xla"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// learn trains a network for some steps on random images and returns each step's loss and the final weights.
func learn(t *testing.T, b backends.Backend, arch string, steps int) (losses []float64, weights []float32) {
	t.Helper()
	const batch, side = 64, 32
	n, err := model.New(arch, 10, side, side)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(1)
	s, err := train.NewClassifier(b, n, state, batch, train.DefaultSGD(), train.LocalGradientAscent(0.5, false))
	if err != nil {
		t.Fatal(err)
	}
	r := rng.Stream(1, "engines")
	x, y, w := make([]float32, batch*side*side*3), make([]int32, batch), make([]float32, batch)
	for range steps {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		for i := range y {
			y[i], w[i] = r.Int32N(10), 1
		}
		loss, err := s.Step([]float64{0.005}, x, y, w)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
	}
	if err := s.Store(); err != nil {
		t.Fatal(err)
	}
	for _, tensor := range state {
		weights = append(weights, tensor.Data...)
	}
	return losses, weights
}

// TestXLAAgrees trains on both engines. XLA rounds the inputs of products to 10 bits on GPUs (TF32), unless
// NVIDIA_TF32_OVERRIDE=0 forbids it.
func TestXLAAgrees(t *testing.T) {
	xla.EnableAutoInstall(false)
	if len(xla.GetAvailablePlugins()) == 0 {
		t.Skip("no PJRT plugin here")
	}
	theirs, err := engines.New("xla", 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"small-cnn", "wrn-16-1", "preact-resnet-18"} {
		t.Run(arch, func(t *testing.T) {
			want, wantW := learn(t, ours, arch, 8)
			got, gotW := learn(t, theirs, arch, 8)
			_, againW := learn(t, theirs, arch, 8)
			weights := apart(wantW, gotW)
			t.Logf("%s: losses %.5f and %.5f, weights %.1e apart", engines.Describe(theirs), want, got, weights)
			for i := range want {
				if math.Abs(got[i]-want[i]) > 0.02*math.Max(1, math.Abs(want[i])) {
					t.Errorf("step %d: loss %g, on the processor %g", i, got[i], want[i])
				}
			}
			if !slices.Equal(gotW, againW) {
				t.Error("a second training gave other weights")
			}
			if weights > 0.02 {
				t.Errorf("the weights are %g apart, relatively", weights)
			}
		})
	}
}

// TestXLAManySteps trains and evaluates in both ways, a step and a batch a call and many, wants them to agree, and tells their
// speeds.
func TestXLAManySteps(t *testing.T) {
	xla.EnableAutoInstall(false)
	if len(xla.GetAvailablePlugins()) == 0 {
		t.Skip("no PJRT plugin here")
	}
	b, err := engines.New("xla", 0)
	if err != nil {
		t.Fatal(err)
	}
	manySteps(t, b, "wrn-16-1", noise(128*70), 20)
}

// manySteps has an engine that repeats programs train for an epoch, and then for some to tell its speed.
func manySteps(t *testing.T, b backends.Backend, arch string, set *dataset.Set, epochs int) {
	n, err := model.New(arch, 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		loss, trained, evaluated float64 // images a second
		weights, logits          []float32
	}
	run := func(b backends.Backend) (out result) {
		r := &train.Run{Backend: b, Network: n, Data: set, Seed: 1, Batch: 128}
		if _, err := r.Start(false); err != nil {
			t.Fatal(err)
		}
		r.Watch = func(e train.Event) {
			switch {
			case e.Note != "":
				t.Error(e.Note)
			case e.Progress != nil:
				out.trained = e.Progress.ImagesPerSecond
			case e.Epoch == 1:
				out.loss = e.Loss
			}
		}
		with := train.NewTrainer(b, n, 128, train.DefaultSGD(), train.Mean)
		p := &train.Phase{Name: "test", Data: set, Indices: rng.Iota(set.Len()), Epochs: 1, Schedule: train.Constant(0.001), Augment: augment.Standard(32, true), Seed: 1}
		learn := func() {
			if err := r.Stage(fmt.Sprint(p.Epochs), func() error { return r.TrainWith(t.Context(), p, with, nil) }); err != nil {
				t.Fatal(err)
			}
		}
		learn()
		for _, x := range r.State {
			out.weights = append(out.weights, x.Data...)
		}
		e, err := evaluate.Of(b, n, r.State)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the first warms up
			start := time.Now()
			out.logits = nil
			if err := e.Logits(t.Context(), set, func(_ int, z []float32) { out.logits = append(out.logits, z...) }); err != nil {
				t.Fatal(err)
			}
			out.evaluated = float64(set.Len()) / time.Since(start).Seconds()
		}
		loss := out.loss
		p.Epochs = 1 + epochs
		learn()
		out.loss = loss
		return out
	}
	one, many := run(struct{ backends.Backend }{b}), run(b)
	weights, logits := apart(one.weights, many.weights), apart(one.logits, many.logits)
	t.Logf("%s, a step a call: training %.0f images/s, evaluation %.0f; many: %.0f and %.0f", n.Arch, one.trained, one.evaluated, many.trained, many.evaluated)
	t.Logf("losses %g and %g, weights %.1e apart, logits %.1e", one.loss, many.loss, weights, logits)
	if math.Abs(one.loss-many.loss) > 0.01*one.loss || weights > 0.02 || logits > 0.05 {
		t.Error("the two ways do not agree")
	}
}

// apart is the distance of two lists of numbers, relatively.
func apart(a, b []float32) float64 {
	var diff, size float64
	for i, w := range a {
		d := float64(b[i] - w)
		diff, size = diff+d*d, size+float64(w)*float64(w)
	}
	return math.Sqrt(diff / size)
}
