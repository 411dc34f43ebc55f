package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/pkg/errors"

	"github.com/unpoison/unpoison/backend/cpu/internal/engine"
)

// Gathering, scattering, slices at run time, random bits.

func (b *builder) Gather(x, indices backends.Op, vectorAxis int, offsetAxes, collapsed, indexMap, sizes []int, _ bool) (backends.Op, error) {
	o, err := b.ownAll(x, indices)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.Gather(o[0].shape, o[1].shape, vectorAxis, offsetAxes, collapsed, indexMap, sizes, false)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpGather, s, &engine.GatherAttr{
		IndexVectorAxis: vectorAxis, OffsetAxes: slices.Clone(offsetAxes), Collapsed: slices.Clone(collapsed),
		IndexMap: slices.Clone(indexMap), SliceSizes: slices.Clone(sizes),
	}, o...))
}

func (b *builder) scatter(combine engine.Op, x, indices, updates backends.Op, vectorAxis int, window, inserted, toOperand []int) (backends.Op, error) {
	o, err := b.ownAll(x, indices, updates)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.ScatterOp(o[0].shape, o[1].shape, o[2].shape, vectorAxis, window, inserted, toOperand)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpScatter, s, &engine.GatherAttr{
		IndexVectorAxis: vectorAxis, OffsetAxes: slices.Clone(window), Collapsed: slices.Clone(inserted),
		IndexMap: slices.Clone(toOperand), Combine: combine,
	}, o...))
}

func (b *builder) ScatterSum(x, indices, updates backends.Op, vectorAxis int, window, inserted, toOperand []int, _, _ bool) (backends.Op, error) {
	return b.scatter(engine.OpReduceSum, x, indices, updates, vectorAxis, window, inserted, toOperand)
}

func (b *builder) ScatterMax(x, indices, updates backends.Op, vectorAxis int, window, inserted, toOperand []int, _, _ bool) (backends.Op, error) {
	return b.scatter(engine.OpReduceMax, x, indices, updates, vectorAxis, window, inserted, toOperand)
}

func (b *builder) ScatterMin(x, indices, updates backends.Op, vectorAxis int, window, inserted, toOperand []int, _, _ bool) (backends.Op, error) {
	return b.scatter(engine.OpReduceMin, x, indices, updates, vectorAxis, window, inserted, toOperand)
}

func (b *builder) DynamicSlice(x backends.Op, starts []backends.Op, sizes []int) (backends.Op, error) {
	o, err := b.ownAll(append([]backends.Op{x}, starts...)...)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpDynamicSlice, shapes.Make(o[0].shape.DType, sizes...), nil, o...))
}

func (b *builder) DynamicUpdateSlice(x, update backends.Op, starts []backends.Op) (backends.Op, error) {
	o, err := b.ownAll(append([]backends.Op{x, update}, starts...)...)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpDynamicUpdate, o[0].shape, nil, o...))
}

// RNGBitGenerator is this backend's own generator: the same bits everywhere, but not XLA's.
func (b *builder) RNGBitGenerator(state backends.Op, s shapes.Shape) (newState, values backends.Op, err error) {
	o, err := b.own(state)
	if err != nil {
		return nil, nil, err
	}
	if !o.shape.Equal(backends.RNGStateShape) {
		return nil, nil, errors.Errorf("RNGBitGenerator: state has shape %s, expected %s", o.shape, backends.RNGStateShape)
	}
	es, err := toShape(s)
	if err != nil {
		return nil, nil, err
	}
	packed := &op{b.graph.Add(engine.OpRandomBits, engine.Make(engine.Uint8, 24+es.Bytes()), nil, o.node), shapes.Shape{}, b}
	cut := func(s shapes.Shape, es engine.Shape, offset int) *op {
		bytes := b.graph.View(packed.node, engine.Make(engine.Uint8, es.Bytes()), offset)
		return &op{b.graph.View(bytes, es, 0), s, b}
	}
	state3, err := toShape(o.shape)
	if err != nil {
		return nil, nil, err
	}
	return cut(o.shape, state3, 0), cut(s, es, 24), nil
}
