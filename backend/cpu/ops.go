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
