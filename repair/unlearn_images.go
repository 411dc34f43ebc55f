package repair

import (
	"context"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// The methods that change the isolated images.

// changed fine-tunes on a copy of the data in which change has rewritten the isolated images, given
// as numbers from 0 to 1.
func (j *UnlearnJob) changed(ctx context.Context, change func(k, i int, x []float32)) (model.State, error) {
	set := j.Data.Clone()
	x := make([]float32, set.ImageBytes())
	for k, i := range j.Isolated {
		img := set.Image(i)
		augment.Plain(x, img)
		change(k, i, x)
		for p, v := range x {
			img[p] = uint8(min(1, max(0, v))*255 + 0.5)
		}
	}
	return j.tune(ctx, j.State, set, j.all(), nil, nil)
}

func pixelNoise(ctx context.Context, j *UnlearnJob) (model.State, error) {
	return j.changed(ctx, func(_, i int, x []float32) {
		r := rng.Stream(j.Options.Seed, "unlearn noise", i)
		for p := range x {
			x[p] += float32(r.NormFloat64() * j.Options.Noise / 255)
		}
	})
}

func gradNoise(ctx context.Context, j *UnlearnJob) (model.State, error) {
	const batch = 64
	set, iso := j.Data, j.Isolated
	n := j.Network
	f, err := train.Frozen(j.Backend, "image gradient", n, j.State, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		x := gx.Input(g, "x", batch, n.Height, n.Width, 3)
		y := Parameter(g, "y", shapes.Make(dtypes.Int32, batch))
		return Gradient(ReduceAllSum(train.CrossEntropy(net(x).Logits, y)), x)
	})
	if err != nil {
		return nil, err
	}
	size := set.ImageBytes()
	grads := make([]float32, (len(iso)+batch)*size)
	x, y := make([]float32, batch*size), make([]int32, batch)
	for lo := 0; lo < len(iso); lo += batch {
		for j := range batch {
			i := iso[(lo+j)%len(iso)]
			augment.Plain(x[j*size:(j+1)*size], set.Image(i))
			y[j] = set.Labels[i]
		}
		if err := f.Call(len(j.State), x, y); err != nil {
			return nil, err
		}
		if err := f.Get(0, grads[lo*size:(lo+batch)*size]); err != nil {
			return nil, err
		}
	}
	step := float32(j.Options.Noise / 255)
	return j.changed(ctx, func(k, _ int, x []float32) {
		for p, g := range grads[k*size : (k+1)*size] {
			switch {
			case g > 0:
				x[p] += step
			case g < 0:
				x[p] -= step
			}
		}
	})
}

// guess returns the class that a network gives each of some images.
func (j *UnlearnJob) guess(ctx context.Context, s model.State, indices []int) (map[int]int, error) {
	e, err := evaluate.Of(j.Backend, j.Network, s)
	if err != nil {
		return nil, err
	}
	g := make(map[int]int, len(indices))
	err = e.Logits(ctx, j.Data.Subset(indices), func(k int, z []float32) { g[indices[k]] = evaluate.TopClass(z) })
	return g, err
}
