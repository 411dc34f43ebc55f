package repair

import (
	"context"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Methods that change images give, to the last bit, what they do on a copy of all images, from the gradients of all at once; and
// they leave the data as they are.
func TestChangedImagesAreThoseOfAWholeCopy(t *testing.T) {
	b := backdoored(t)
	o := DefaultUnlearn(0)
	o.Batch, o.Epochs = 64, 1
	j := &UnlearnJob{Backend: b.engine, Network: b.net, State: b.state, Data: b.train, Options: o}
	for i := range b.train.Len() {
		if i%7 == 3 && len(j.Isolated) < 70 { // more than a batch of gradients
			j.Isolated = append(j.Isolated, i)
		} else {
			j.Kept = append(j.Kept, i)
		}
	}
	before := b.train.Digest()
	for name, change := range map[string]func(k, i int, x []float32){"pixel-noise": noiseOf(j), "grad-noise": stepsOf(t, j)} {
		set := b.train.Clone()
		x := make([]float32, set.ImageBytes())
		for k, i := range j.Isolated {
			augment.Plain(x, set.Image(i))
			change(k, i, x)
			for p, v := range x {
				set.Image(i)[p] = uint8(min(1, max(0, v))*255 + 0.5)
			}
		}
		want, err := j.tune(context.Background(), j.State, set, j.all(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := UnlearnMethodNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unlearn(context.Background(), m, j)
		if err != nil {
			t.Fatal(err)
		}
		if set.Digest() == before || b.train.Digest() != before || !sameState(got, want) {
			t.Errorf("%s: the copy changed: %v; the data changed: %v; the same network: %v", name, set.Digest() != before, b.train.Digest() != before, sameState(got, want))
		}
	}
}

func noiseOf(j *UnlearnJob) func(k, i int, x []float32) {
	return func(_, i int, x []float32) {
		r := rng.Stream(j.Options.Seed, "unlearn noise", i)
		for p := range x {
			x[p] += float32(r.NormFloat64() * j.Options.Noise / 255)
		}
	}
}

// stepsOf moves along the signs of gradients that are computed in one batch.
func stepsOf(t *testing.T, j *UnlearnJob) func(k, i int, x []float32) {
	t.Helper()
	n, all, size := j.Network, len(j.Isolated), j.Data.ImageBytes()
	f, err := train.Frozen(j.Backend, "image gradient", n, j.State, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		x, y := gx.Input(g, "x", all, n.Height, n.Width, 3), Parameter(g, "y", shapes.Make(dtypes.Int32, all))
		return Gradient(ReduceAllSum(train.CrossEntropy(net(x).Logits, y)), x)
	})
	if err != nil {
		t.Fatal(err)
	}
	x, grads := make([]float32, all*size), make([]float32, all*size)
	set := j.Data.View(j.Isolated)
	for k := range all {
		augment.Plain(x[k*size:(k+1)*size], set.Image(k))
	}
	if err := f.Call(len(j.State), x, set.Labels); err != nil {
		t.Fatal(err)
	}
	if err := f.Get(0, grads); err != nil {
		t.Fatal(err)
	}
	return func(k, _ int, x []float32) {
		for p, g := range grads[k*size : (k+1)*size] {
			if step := float32(j.Options.Noise / 255); g > 0 {
				x[p] += step
			} else if g < 0 {
				x[p] -= step
			}
		}
	}
}

func sameState(a, b model.State) bool {
	return slices.EqualFunc(a, b, func(x, y *model.Tensor) bool { return slices.Equal(x.Data, y.Data) })
}
