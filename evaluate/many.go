package evaluate

import (
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// What engines that repeat a program are given a call: so many batches at most, and at least one; so many bytes of images or results.
const manyBatches, manyBytes = 32, 32 << 20

// compileMany makes an evaluator that does many batches a call. Its program's inputs are the number of the batch and the
// results of all batches, which are carried; then the images' bytes, and the network's tensors.
func compileMany(b gx.Looper, n *model.Network, of func(net *model.Graphed) *Node) (*Evaluator, error) {
	name := "evaluate " + n.Arch
	size, err := gx.Size(b, name, func(g *Graph) *Node {
		return of(n.Graph(g, false, func() *Node { return gx.Input(g, "x", Batch, n.Height, n.Width, 3) }))
	})
	if err != nil {
		return nil, err
	}
	bytes := Batch * n.Height * n.Width * 3
	batches := min(max(manyBytes/max(bytes, 4*size), 1), manyBatches)
	f, err := gx.NewLoop(b, name, func(g *Graph) []*Node {
		at, zero := Parameter(g, "at", shapes.Make(dtypes.Int32)), Const(g, int32(0))
		results := gx.Input(g, "results", batches, size)
		pixels := Parameter(g, "pixels", shapes.Make(dtypes.Uint8, batches, Batch, n.Height, n.Width, 3))
		own := of(n.Graph(g, false, func() *Node {
			x := DynamicSlice(pixels, []*Node{at, zero, zero, zero, zero}, []int{1, Batch, n.Height, n.Width, 3})
			return augment.Plainly(Reshape(x, Batch, n.Height, n.Width, 3))
		}))
		return []*Node{AddScalar(at, 1), DynamicUpdateSlice(results, Reshape(own, 1, size), []*Node{at, zero})}
	})
	if err != nil {
		return nil, err
	}
	return &Evaluator{network: n, f: f, batch: Batch, tensors: 3, pixels: make([]uint8, batches*bytes), batches: batches, results: make([]float32, batches*size)}, nil
}

// many evaluates the images from lo to hi−1.
func (e *Evaluator) many(s *dataset.Set, lo, hi int) error {
	size := s.ImageBytes()
	for i := lo; i < hi; i++ {
		copy(e.pixels[(i-lo)*size:], s.Image(i))
	}
	if err := e.f.Set(0, []int32{0}); err != nil {
		return err
	}
	if err := e.f.Set(2, e.pixels); err != nil {
		return err
	}
	if err := e.f.Repeat((hi - lo + Batch - 1) / Batch); err != nil {
		return err
	}
	return e.f.Get(1, e.results)
}
