//go:build xla

package engines_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/xla"

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
			var diff, size float64
			for i, w := range wantW {
				d := float64(gotW[i] - w)
				diff, size = diff+d*d, size+float64(w)*float64(w)
			}
			apart := math.Sqrt(diff / size)
			t.Logf("%s: losses %.5f and %.5f, weights %.1e apart", engines.Describe(theirs), want, got, apart)
			for i := range want {
				if math.Abs(got[i]-want[i]) > 0.02*math.Max(1, math.Abs(want[i])) {
					t.Errorf("step %d: loss %g, on the processor %g", i, got[i], want[i])
				}
			}
			if !slices.Equal(gotW, againW) {
				t.Error("a second training gave other weights")
			}
			if apart > 0.02 {
				t.Errorf("the weights are %g apart, relatively", apart)
			}
		})
	}
}
