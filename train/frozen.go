package train

import (
	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// Function is a compiled computation. Its inputs and outputs are counted from 0, in the order in which they were made.
type Function interface {
	// Set fills an input, of []float32 or []int32.
	Set(input int, data any) error
	// Call sets the inputs from first on, and runs.
	Call(first int, inputs ...any) error
	// Get copies an output of the last call to dst, which has as many elements.
	Get(output int, dst []float32) error
	// Size returns how many elements an output has.
	Size(output int) int
	// Number returns an output of the last call that is a single element.
	Number(output int) (float64, error)
}

// Frozen compiles a computation over a network whose tensors stay as they are. build may lay the network
// over several images, and take gradients to them; the parameters that it makes are the function's
// inputs from len(state) on.
func Frozen(b backends.Backend, name string, n *model.Network, state model.State, build func(g *Graph, net func(x *Node) *model.Graphed) []*Node) (Function, error) {
	f, err := gx.NewFunction(b, name, 0, func(g *Graph) []*Node {
		params := model.Parameters(g, "", n.Spec())
		return build(g, func(x *Node) *model.Graphed {
			builder := model.NewBuilder(g, false, params)
			builder.Frozen = true
			return n.Lay(builder, x)
		})
	})
	if err != nil {
		return nil, err
	}
	for i, t := range state {
		if err := f.Set(i, t.Data); err != nil {
			return nil, err
		}
	}
	return f, nil
}
