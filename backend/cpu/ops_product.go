package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/pkg/errors"

	"github.com/unpoison/unpoison/backend/cpu/internal/engine"
)

// Matrix products, convolutions and windows.

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
