package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/pkg/errors"

	"github.com/unpoison/unpoison/backend/cpu/internal/engine"
)

// The structured operations of backends.StandardOps.

func (b *builder) Identity(x backends.Op) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	return ret(b.view(o, 0, o.shape))
}

func (b *builder) Reshape(x backends.Op, dims ...int) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.ReshapeOp(o.shape, dims)
	if err != nil {
		return nil, err
	}
	return ret(b.view(o, 0, s))
}

// boolean wraps IsFinite and IsNaN, which keep the shape and yield booleans.
func (b *builder) boolean(kind engine.Op, x backends.Op) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	return ret(b.add(kind, shapes.Make(dtypes.Bool, o.shape.Dimensions...), nil, o))
}

func (b *builder) IsFinite(x backends.Op) (backends.Op, error) {
	return b.boolean(engine.OpIsFinite, x)
}

func (b *builder) IsNaN(x backends.Op) (backends.Op, error) { return b.boolean(engine.OpIsNaN, x) }

func (b *builder) ShiftLeft(l, r backends.Op) (backends.Op, error) {
	return b.shift(engine.OpShiftLeft, l, r)
}

// shift infers its shape as Add does: GoMLX's inference does not know shifts.
func (b *builder) shift(kind engine.Op, l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeAdd, kind, l, r)
}

func (b *builder) ShiftRightArithmetic(l, r backends.Op) (backends.Op, error) {
	return b.shiftRight(l, r, map[dtypes.DType]dtypes.DType{
		dtypes.Uint8: dtypes.Int8, dtypes.Uint32: dtypes.Int32, dtypes.Uint64: dtypes.Int64,
	})
}

func (b *builder) ShiftRightLogical(l, r backends.Op) (backends.Op, error) {
	return b.shiftRight(l, r, map[dtypes.DType]dtypes.DType{
		dtypes.Int8: dtypes.Uint8, dtypes.Int32: dtypes.Uint32, dtypes.Int64: dtypes.Uint64,
	})
}

// shiftRight: the engine shifts signed numbers arithmetically and unsigned ones logically, so the
// other kind goes through the type of the same size that as names.
func (b *builder) shiftRight(l, r backends.Op, as map[dtypes.DType]dtypes.DType) (backends.Op, error) {
	o, err := b.own(l)
	if err != nil {
		return nil, err
	}
	other, cast := as[o.shape.DType]
	if !cast {
		return b.shift(engine.OpShiftRight, l, r)
	}
	if l, err = b.Bitcast(l, other); err != nil {
		return nil, err
	}
	if r, err = b.Bitcast(r, other); err != nil {
		return nil, err
	}
	y, err := b.shift(engine.OpShiftRight, l, r)
	if err != nil {
		return nil, err
	}
	return b.Bitcast(y, o.shape.DType)
}

func (b *builder) Clamp(low, x, high backends.Op) (backends.Op, error) {
	m, err := b.Max(low, x)
	if err != nil {
		return nil, err
	}
	return b.Min(m, high)
}

func (b *builder) ConvertDType(x backends.Op, d dtypes.DType) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	if d == o.shape.DType {
		return b.Identity(x)
	}
	return ret(b.add(engine.OpConvert, shapes.Make(d, o.shape.Dimensions...), nil, o))
}

func (b *builder) Bitcast(x backends.Op, d dtypes.DType) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	dims := slices.Clone(o.shape.Dimensions)
	from, to := int(o.shape.DType.Memory()), int(d.Memory())
	switch {
	case to < from:
		dims = append(dims, from/to)
	case to > from:
		if len(dims) == 0 || dims[len(dims)-1]*from != to {
			return nil, errors.Errorf("Bitcast: the last axis of %s does not make one %s", o.shape, d)
		}
		dims = dims[:len(dims)-1]
	}
	return ret(b.view(o, 0, shapes.Make(d, dims...)))
}

func (b *builder) Where(condition, onTrue, onFalse backends.Op) (backends.Op, error) {
	o, err := b.ownAll(condition, onTrue, onFalse)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.WhereOp(o[0].shape, o[1].shape, o[2].shape)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpWhere, s, nil, o...))
}

func (b *builder) BroadcastInDim(x backends.Op, s shapes.Shape, axes []int) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	if err := shapeinference.BroadcastInDimOp(o.shape, s, axes); err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpBroadcast, s, engine.BroadcastAttr{Axes: slices.Clone(axes)}, o))
}

func (b *builder) Transpose(x backends.Op, perm ...int) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.TransposeOp(o.shape, perm)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpTranspose, s, slices.Clone(perm), o))
}

func (b *builder) Reverse(x backends.Op, axes ...int) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	for _, a := range axes {
		if a < 0 || a >= o.shape.Rank() {
			return nil, errors.Errorf("Reverse: no axis %d in %s", a, o.shape)
		}
	}
	return ret(b.add(engine.OpReverse, o.shape, slices.Clone(axes), o))
}

func (b *builder) Slice(x backends.Op, starts, limits, steps []int) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		steps = slices.Repeat([]int{1}, o.shape.Rank())
	}
	s, err := shapeinference.SliceOp(o.shape, starts, limits, steps)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpSlice, s, engine.SliceAttr{Starts: slices.Clone(starts), Strides: slices.Clone(steps)}, o))
}

func (b *builder) Pad(x, fill backends.Op, axes ...backends.PadAxis) (backends.Op, error) {
	o, err := b.ownAll(x, fill)
	if err != nil {
		return nil, err
	}
	attr := make([]engine.PadAxis, o[0].shape.Rank())
	s := o[0].shape.Clone()
	for i, a := range axes {
		attr[i] = engine.PadAxis{Start: a.Start, End: a.End, Interior: a.Interior}
		d := s.Dimensions[i]
		s.Dimensions[i] = a.Start + d + max(0, d-1)*a.Interior + a.End
		if s.Dimensions[i] < 0 {
			return nil, errors.Errorf("Pad: axis %d of %s would have %d elements", i, o[0].shape, s.Dimensions[i])
		}
	}
	return ret(b.add(engine.OpPad, s, attr, o...))
}

func (b *builder) Concatenate(axis int, operands ...backends.Op) (backends.Op, error) {
	o, err := b.ownAll(operands...)
	if err != nil {
		return nil, err
	}
	in := make([]shapes.Shape, len(o))
	for i := range o {
		in[i] = o[i].shape
	}
	s, err := shapeinference.ConcatenateOp(in, axis)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpConcat, s, axis, o...))
}

func (b *builder) Iota(s shapes.Shape, axis int) (backends.Op, error) {
	if axis < 0 || axis >= s.Rank() {
		return nil, errors.Errorf("Iota: no axis %d in %s", axis, s)
	}
	n := s.Dimensions[axis]
	line := make([]int64, n)
	for i := range line {
		line[i] = int64(i)
	}
	c, err := b.Constant(line, n)
	if err != nil {
		return nil, err
	}
	if c, err = b.ConvertDType(c, s.DType); err != nil {
		return nil, err
	}
	return b.BroadcastInDim(c, s, []int{axis})
}

func (b *builder) ArgMinMax(x backends.Op, axis int, d dtypes.DType, isMin bool) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.ArgMinMaxOp(o.shape, axis, d)
	if err != nil {
		return nil, err
	}
	return ret(b.add(engine.OpArgMinMax, s, engine.ArgAttr{Axis: axis, Min: isMin}, o))
}

func (b *builder) Dot(lhs, rhs backends.Op) (backends.Op, error) {
	o, err := b.ownAll(lhs, rhs)
	if err != nil {
		return nil, err
	}
	l, r := o[0].shape.Rank(), o[1].shape.Rank()
	if l < 1 || l > 2 || r < 1 || r > 2 {
		return nil, errors.Errorf("Dot takes vectors and matrices, got %s and %s", o[0].shape, o[1].shape)
	}
	return b.DotGeneral(lhs, []int{l - 1}, nil, rhs, []int{0}, nil)
}

func (b *builder) DotGeneral(lhs backends.Op, lContract, lBatch []int, rhs backends.Op, rContract, rBatch []int) (backends.Op, error) {
	o, err := b.ownAll(lhs, rhs)
	if err != nil {
		return nil, err
	}
	l, r := o[0].shape, o[1].shape
	if l.DType != r.DType {
		return nil, errors.Errorf("DotGeneral: types differ, %s and %s", l, r)
	}
	norm := func(axes []int, rank int) ([]int, error) {
		out := make([]int, len(axes))
		for i, a := range axes {
			if a < 0 {
				a += rank
			}
			if a < 0 || a >= rank {
				return nil, errors.Errorf("DotGeneral: axis %d out of range for rank %d", axes[i], rank)
			}
			out[i] = a
		}
		return out, nil
	}
	attr := &engine.DotAttr{}
	for _, p := range []struct {
		dst  *[]int
		axes []int
		rank int
	}{{&attr.LContract, lContract, l.Rank()}, {&attr.LBatch, lBatch, l.Rank()}, {&attr.RContract, rContract, r.Rank()}, {&attr.RBatch, rBatch, r.Rank()}} {
		if *p.dst, err = norm(p.axes, p.rank); err != nil {
			return nil, err
		}
	}
	same := func(a, c []int) error {
		if len(a) != len(c) {
			return errors.Errorf("DotGeneral: %d axes against %d of %s and %s", len(a), len(c), l, r)
		}
		for i := range a {
			if l.Dimensions[a[i]] != r.Dimensions[c[i]] {
				return errors.Errorf("DotGeneral: axis %d of %s and axis %d of %s differ", a[i], l, c[i], r)
			}
		}
		return nil
	}
	if err := same(attr.LContract, attr.RContract); err != nil {
		return nil, err
	}
	if err := same(attr.LBatch, attr.RBatch); err != nil {
		return nil, err
	}
	var dims []int
	for _, a := range attr.LBatch {
		dims = append(dims, l.Dimensions[a])
	}
	for _, side := range []struct {
		s    shapes.Shape
		used []int
	}{{l, slices.Concat(attr.LContract, attr.LBatch)}, {r, slices.Concat(attr.RContract, attr.RBatch)}} {
		for i, d := range side.s.Dimensions {
			if !slices.Contains(side.used, i) {
				dims = append(dims, d)
			}
		}
	}
	return ret(b.add(engine.OpDot, shapes.Make(l.DType, dims...), attr, o...))
}

func (b *builder) ConvGeneral(input, kernel backends.Op, axes backends.ConvolveAxesConfig, steps []int, pads [][2]int,
	inDil, kerDil []int, channelGroups, batchGroups int,
) (backends.Op, error) {
	o, err := b.ownAll(input, kernel)
	if err != nil {
		return nil, err
	}
	if rank := o[0].shape.Rank() - 2; rank > 0 { // the shape inference takes no missing strides
		steps = orRepeat(steps, 1, rank)
		inDil, kerDil = orRepeat(inDil, 1, rank), orRepeat(kerDil, 1, rank)
		pads = orRepeat(pads, [2]int{}, rank)
	}
	s, err := shapeinference.ConvGeneralOp(o[0].shape, o[1].shape, axes, steps, pads, inDil, kerDil, channelGroups, batchGroups)
	if err != nil {
		return nil, err
	}
	axes = axes.Clone()
	return ret(b.add(engine.OpConv, s, &engine.ConvAttr{
		InBatch: axes.InputBatch, InChannel: axes.InputChannels, InSpatial: axes.InputSpatial,
		KernelIn: axes.KernelInputChannels, KernelOut: axes.KernelOutputChannels, KernelSpatial: axes.KernelSpatial,
		OutBatch: axes.OutputBatch, OutChannel: axes.OutputChannels, OutSpatial: axes.OutputSpatial,
		Strides: slices.Clone(steps), InDilation: slices.Clone(inDil), KerDilation: slices.Clone(kerDil), Pads: slices.Clone(pads),
		ChannelGroups: channelGroups, BatchGroups: batchGroups,
	}, o...))
}

// orRepeat returns v, or n times x where v is empty.
func orRepeat[T any](v []T, x T, n int) []T {
	if len(v) > 0 {
		return v
	}
	return slices.Repeat([]T{x}, n)
}

var windowReductions = map[backends.ReduceOpType]engine.Op{
	backends.ReduceOpSum: engine.OpReduceSum, backends.ReduceOpProduct: engine.OpReduceProd,
	backends.ReduceOpMax: engine.OpReduceMax, backends.ReduceOpMin: engine.OpReduceMin,
}

func (b *builder) ReduceWindow(x backends.Op, t backends.ReduceOpType, window, steps, baseDil, winDil []int, pads [][2]int) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.ReduceWindowOp(o.shape, window, steps, baseDil, winDil, pads)
	if err != nil {
		return nil, err
	}
	kind, ok := windowReductions[t]
	if !ok {
		return nil, errors.Errorf("backend %s has no ReduceWindow with reduction %s", Name, t)
	}
	if len(window) == 0 {
		window = slices.Repeat([]int{1}, o.shape.Rank())
	}
	if len(steps) == 0 {
		steps = window // as XLA does
	}
	return ret(b.add(engine.OpPool, s, &engine.WindowAttr{
		Reduce: kind, Window: slices.Clone(window), Strides: slices.Clone(steps), BaseDil: slices.Clone(baseDil),
		WinDil: slices.Clone(winDil), Pads: slices.Clone(pads),
	}, o))
}

func (b *builder) scatterPool(x, source backends.Op, window, steps []int, pads [][2]int, isMin bool) (backends.Op, error) {
	o, err := b.ownAll(x, source)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		steps = window
	}
	return ret(b.add(engine.OpScatterPool, o[0].shape, &engine.WindowAttr{
		Window: slices.Clone(window), Strides: slices.Clone(steps), Pads: slices.Clone(pads), Min: isMin,
	}, o...))
}

func (b *builder) SelectAndScatterMax(x, source backends.Op, window, steps []int, pads [][2]int) (backends.Op, error) {
	return b.scatterPool(x, source, window, steps, pads, false)
}

func (b *builder) SelectAndScatterMin(x, source backends.Op, window, steps []int, pads [][2]int) (backends.Op, error) {
	return b.scatterPool(x, source, window, steps, pads, true)
}

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
