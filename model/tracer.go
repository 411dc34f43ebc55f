package model

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/notimplemented"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// tracer is a backend that computes nothing. It knows the shapes of results, which is all that it takes to run a network's
// code and see what tensors and layers it asks for. So this package needs no engine.
type tracer struct{ notimplemented.Backend }

// Builder implements backends.Backend.
func (*tracer) Builder(name string) backends.Builder {
	return &shapeBuilder{name: name, Builder: notimplemented.Builder{ErrFn: func(op backends.OpType) error {
		return fmt.Errorf("network %s uses the operation %s, which networks can't", name, op)
	}}}
}

// Capabilities implements backends.Backend.
func (*tracer) Capabilities() backends.Capabilities {
	c := backends.Capabilities{Operations: map[backends.OpType]bool{}, DTypes: map[dtypes.DType]bool{}}
	for op := range backends.OpTypeLast {
		c.Operations[op] = true
	}
	for _, d := range []dtypes.DType{dtypes.Bool, dtypes.Int32, dtypes.Int64, dtypes.Uint8, dtypes.Float32, dtypes.Float64} {
		c.DTypes[d] = true
	}
	return c
}

// shapeBuilder implements the operations of networks; what it embeds refuses the others. An operation is its shape.
type shapeBuilder struct {
	notimplemented.Builder
	name string
}

type op = *shapes.Shape

func of(x backends.Op) shapes.Shape { return *x.(op) }

func result(s shapes.Shape, err error) (backends.Op, error) {
	if err != nil {
		return nil, err
	}
	return &s, nil
}

func as(x backends.Op, d dtypes.DType, dims ...int) (backends.Op, error) {
	if dims == nil {
		dims = of(x).Dimensions
	}
	return result(shapes.Make(d, dims...), nil)
}

func (b *shapeBuilder) Name() string { return b.name }

func (b *shapeBuilder) OpShape(x backends.Op) (shapes.Shape, error) { return of(x), nil }

func (b *shapeBuilder) Parameter(_ string, s shapes.Shape, _ *backends.ShardingSpec) (backends.Op, error) {
	return result(s, nil)
}

func (b *shapeBuilder) Constant(flat any, dims ...int) (backends.Op, error) {
	return result(shapes.Make(dtypes.FromGoType(reflect.TypeOf(flat).Elem()), dims...), nil)
}

func (b *shapeBuilder) Identity(x backends.Op) (backends.Op, error) { return x, nil }

func (b *shapeBuilder) Iota(s shapes.Shape, _ int) (backends.Op, error) { return result(s, nil) }

func (b *shapeBuilder) ConvertDType(x backends.Op, d dtypes.DType) (backends.Op, error) {
	return as(x, d)
}

func (b *shapeBuilder) IsFinite(x backends.Op) (backends.Op, error) { return as(x, dtypes.Bool) }
func (b *shapeBuilder) IsNaN(x backends.Op) (backends.Op, error)    { return as(x, dtypes.Bool) }

func (b *shapeBuilder) Clamp(_, x, _ backends.Op) (backends.Op, error) { return x, nil }

func (b *shapeBuilder) Where(c, x, y backends.Op) (backends.Op, error) {
	return result(shapeinference.WhereOp(of(c), of(x), of(y)))
}

func (b *shapeBuilder) Reshape(x backends.Op, dims ...int) (backends.Op, error) {
	return result(shapeinference.ReshapeOp(of(x), dims))
}

func (b *shapeBuilder) Transpose(x backends.Op, perm ...int) (backends.Op, error) {
	return result(shapeinference.TransposeOp(of(x), perm))
}

func (b *shapeBuilder) Reverse(x backends.Op, _ ...int) (backends.Op, error) { return x, nil }

func (b *shapeBuilder) BroadcastInDim(x backends.Op, s shapes.Shape, axes []int) (backends.Op, error) {
	return result(s, shapeinference.BroadcastInDimOp(of(x), s, axes))
}

func (b *shapeBuilder) Slice(x backends.Op, starts, limits, steps []int) (backends.Op, error) {
	return result(shapeinference.SliceOp(of(x), starts, limits, orOnes(steps, of(x).Rank())))
}

func (b *shapeBuilder) Pad(x, _ backends.Op, axes ...backends.PadAxis) (backends.Op, error) {
	s := of(x).Clone()
	for i, a := range axes {
		s.Dimensions[i] += a.Start + max(0, s.Dimensions[i]-1)*a.Interior + a.End
	}
	return result(s, nil)
}

func (b *shapeBuilder) Concatenate(axis int, xs ...backends.Op) (backends.Op, error) {
	in := make([]shapes.Shape, len(xs))
	for i, x := range xs {
		in[i] = of(x)
	}
	return result(shapeinference.ConcatenateOp(in, axis))
}

func (b *shapeBuilder) ArgMinMax(x backends.Op, axis int, d dtypes.DType, _ bool) (backends.Op, error) {
	return result(shapeinference.ArgMinMaxOp(of(x), axis, d))
}

func (b *shapeBuilder) Gather(x, at backends.Op, vectorAxis int, offsetAxes, collapsed, indexMap, sizes []int, sorted bool) (backends.Op, error) {
	return result(shapeinference.Gather(of(x), of(at), vectorAxis, offsetAxes, collapsed, indexMap, sizes, sorted))
}

func (b *shapeBuilder) Dot(x, y backends.Op) (backends.Op, error) {
	return b.DotGeneral(x, []int{of(x).Rank() - 1}, nil, y, []int{0}, nil)
}

func (b *shapeBuilder) DotGeneral(x backends.Op, xContract, xBatch []int, y backends.Op, yContract, yBatch []int) (backends.Op, error) {
	p, q := of(x), of(y)
	dims := make([]int, 0, p.Rank()+q.Rank())
	for _, a := range xBatch {
		dims = append(dims, p.Dim(a))
	}
	for i, a := range xContract {
		if p.Dim(a) != q.Dim(yContract[i]) {
			return nil, fmt.Errorf("network %s multiplies %s and %s: axes %d and %d differ", b.name, p, q, a, yContract[i])
		}
	}
	for _, side := range []struct {
		s    shapes.Shape
		used []int
	}{{p, slices.Concat(xContract, xBatch)}, {q, slices.Concat(yContract, yBatch)}} {
		for i, d := range side.s.Dimensions {
			if !slices.Contains(side.used, i) && !slices.Contains(side.used, i-side.s.Rank()) {
				dims = append(dims, d)
			}
		}
	}
	return as(nil, p.DType, dims...)
}

func (b *shapeBuilder) ConvGeneral(x, kernel backends.Op, axes backends.ConvolveAxesConfig, steps []int, pads [][2]int,
	inDil, kerDil []int, channelGroups, batchGroups int,
) (backends.Op, error) {
	rank := of(x).Rank() - 2
	if len(pads) == 0 {
		pads = make([][2]int, rank)
	}
	return result(shapeinference.ConvGeneralOp(of(x), of(kernel), axes, orOnes(steps, rank), pads, orOnes(inDil, rank), orOnes(kerDil, rank),
		channelGroups, batchGroups))
}

func orOnes(v []int, n int) []int {
	if len(v) > 0 {
		return v
	}
	return slices.Repeat([]int{1}, n)
}

func (b *shapeBuilder) ReduceWindow(x backends.Op, _ backends.ReduceOpType, window, steps, baseDil, winDil []int, pads [][2]int) (backends.Op, error) {
	return result(shapeinference.ReduceWindowOp(of(x), window, steps, baseDil, winDil, pads))
}

func (b *shapeBuilder) BatchNormForInference(x, _, _, _, _ backends.Op, _ float32, _ int) (backends.Op, error) {
	return x, nil
}
