package evaluate

import (
	"context"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/gx"
	"github.com/unpoison/unpoison/model"
)

// Features returns what a network makes of each image before its last layer, [images, features].
func Features(ctx context.Context, b backends.Backend, n *model.Network, s model.State, set *dataset.Set) ([]float32, error) {
	var width int
	f, err := gx.NewFunction(b, "features", 0, func(g *Graph) []*Node {
		net := n.Graph(g, false, func() *Node { return gx.Input(g, "x", Batch, n.Height, n.Width, 3) })
		h := net.Taps["features"]
		width = h.Shape().Dimensions[1]
		return []*Node{h}
	})
	if err != nil {
		return nil, err
	}
	for i, t := range s {
		if err := f.Set(i, t.Data); err != nil {
			return nil, err
		}
	}
	size := set.ImageBytes()
	x, h := make([]float32, Batch*size), make([]float32, Batch*width)
	var all []float32
	for lo := 0; lo < set.Len(); lo += Batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		count := min(Batch, set.Len()-lo)
		for k := range count {
			augment.Plain(x[k*size:(k+1)*size], set.Image(lo+k))
		}
		if err := f.Call(len(s), x); err != nil {
			return nil, err
		}
		if err := f.Get(0, h); err != nil {
			return nil, err
		}
		all = append(all, h[:count*width]...)
	}
	return all, nil
}
