package repair

import (
	"context"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// The methods that change the isolated images.

// changed fine-tunes on the data in which change has rewritten the isolated images; of others no copy is made.
func (j *UnlearnJob) changed(ctx context.Context, change func(set *dataset.Set) error) (model.State, error) {
	set := j.Data.CloneSome(j.Isolated)
	if err := change(set); err != nil {
		return nil, err
	}
	return j.tune(ctx, j.State, set, j.all(), nil, nil)
}

// rewrite changes an image as numbers from 0 to 1. x is scratch of its size.
func rewrite(image []uint8, x []float32, change func(x []float32)) {
	augment.Plain(x, image)
	change(x)
	for p, v := range x {
		image[p] = uint8(min(1, max(0, v))*255 + 0.5)
	}
}

func pixelNoise(ctx context.Context, j *UnlearnJob) (model.State, error) {
	return j.changed(ctx, func(set *dataset.Set) error {
		x := make([]float32, set.ImageBytes())
		for _, i := range j.Isolated {
			if err := ctx.Err(); err != nil {
				return err
			}
			r := rng.Stream(j.Options.Seed, "unlearn noise", i)
			rewrite(set.Image(i), x, func(x []float32) {
				for p := range x {
					x[p] += float32(r.NormFloat64() * j.Options.Noise / 255)
				}
			})
		}
		return nil
	})
}

func gradNoise(ctx context.Context, j *UnlearnJob) (model.State, error) {
	return j.changed(ctx, func(set *dataset.Set) error {
		step, size := float32(j.Options.Noise/255), set.ImageBytes()
		x := make([]float32, size)
		return j.gradients(ctx, func(lo int, grads []float32) {
			for k, i := range j.Isolated[lo : lo+len(grads)/size] {
				rewrite(set.Image(i), x, func(x []float32) {
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
		})
	})
}

// gradients calls visit with the gradients of the isolated images from lo on as they are in the data, a few at a time.
func (j *UnlearnJob) gradients(ctx context.Context, visit func(lo int, grads []float32)) error {
	const batch = 64
	set, iso, n := j.Data, j.Isolated, j.Network
	f, err := train.Frozen(j.Backend, "image gradient", n, j.State, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		x := gx.Input(g, "x", batch, n.Height, n.Width, 3)
		y := Parameter(g, "y", shapes.Make(dtypes.Int32, batch))
		return Gradient(ReduceAllSum(train.CrossEntropy(net(x).Logits, y)), x)
	})
	if err != nil {
		return err
	}
	size := set.ImageBytes()
	x, y, grads := make([]float32, batch*size), make([]int32, batch), make([]float32, batch*size)
	for lo := 0; lo < len(iso); lo += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		for k := range batch {
			i := iso[(lo+k)%len(iso)]
			augment.Plain(x[k*size:(k+1)*size], set.Image(i))
			y[k] = set.Labels[i]
		}
		if err := f.Call(len(j.State), x, y); err != nil {
			return err
		}
		if err := f.Get(0, grads); err != nil {
			return err
		}
		visit(lo, grads[:min(batch, len(iso)-lo)*size])
	}
	return nil
}

// guess returns the class that a network gives each of some images.
func (j *UnlearnJob) guess(ctx context.Context, s model.State, indices []int) (map[int]int, error) {
	e, err := evaluate.Of(j.Backend, j.Network, s)
	if err != nil {
		return nil, err
	}
	g := make(map[int]int, len(indices))
	err = e.Logits(ctx, j.Data.View(indices), func(k int, z []float32) { g[indices[k]] = evaluate.TopClass(z) })
	return g, err
}
