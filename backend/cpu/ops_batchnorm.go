package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/pkg/errors"

	"github.com/unpoison/unpoison/backend/cpu/internal/engine"
)

// Batch norm arrives in one piece and is captured in three: statistics, coefficients, affine map.

// featureLast moves the feature axis to the end and returns how to move it back.
func (b *builder) featureLast(o *op, axis int) (*op, func(*op) (*op, error), error) {
	rank := o.shape.Rank()
	if o.shape.DType != dtypes.Float32 {
		return nil, nil, errors.Errorf("backend %s does batch norm on float32 only, got %s", Name, o.shape)
	}
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis >= rank {
		return nil, nil, errors.Errorf("batch norm: no feature axis %d in %s", axis, o.shape)
	}
	if axis == rank-1 {
		return o, func(y *op) (*op, error) { return y, nil }, nil
	}
	to := append(slices.Delete(iota0(rank), axis, axis+1), axis)
	x, err := b.Transpose(o, to...)
	if err != nil {
		return nil, nil, err
	}
	back := make([]int, rank)
	for i, a := range to {
		back[a] = i
	}
	return x.(*op), func(y *op) (*op, error) {
		z, err := b.Transpose(y, back...)
		if err != nil {
			return nil, err
		}
		return z.(*op), nil
	}, nil
}

func floats(dims ...int) shapes.Shape { return shapes.Make(dtypes.Float32, dims...) }

func (b *builder) BatchNormForTraining(operand, scale, offset backends.Op, epsilon float32, axis int) (normalized, mean, variance backends.Op, err error) {
	o, err := b.ownAll(operand, scale, offset)
	if err != nil {
		return nil, nil, nil, err
	}
	x, back, err := b.featureLast(o[0], axis)
	if err != nil {
		return nil, nil, nil, err
	}
	c := x.shape.Dimensions[x.shape.Rank()-1]
	stats, err := b.add(engine.OpBatchNormStats, floats(2, c), nil, x)
	if err != nil {
		return nil, nil, nil, err
	}
	m, _ := b.view(stats, 0, floats(c))
	v, _ := b.view(stats, c, floats(c))
	y, err := b.normalize(x, o[1], o[2], m, v, epsilon)
	if err != nil {
		return nil, nil, nil, err
	}
	if y, err = back(y); err != nil {
		return nil, nil, nil, err
	}
	return y, m, v, nil
}

func (b *builder) normalize(x, scale, offset, mean, variance *op, epsilon float32) (*op, error) {
	c := x.shape.Dimensions[x.shape.Rank()-1]
	coef, err := b.add(engine.OpBatchNormCoef, floats(2, c), float64(epsilon), scale, offset, mean, variance)
	if err != nil {
		return nil, err
	}
	return b.add(engine.OpAffine, x.shape, nil, x, coef)
}

func (b *builder) BatchNormForInference(operand, scale, offset, mean, variance backends.Op, epsilon float32, axis int) (backends.Op, error) {
	o, err := b.ownAll(operand, scale, offset, mean, variance)
	if err != nil {
		return nil, err
	}
	x, back, err := b.featureLast(o[0], axis)
	if err != nil {
		return nil, err
	}
	y, err := b.normalize(x, o[1], o[2], o[3], o[4], epsilon)
	if err != nil {
		return nil, err
	}
	return ret(back(y))
}

func (b *builder) BatchNormGradient(operand, scale, mean, variance, gradOutput backends.Op, epsilon float32, axis int) (gradOperand, gradScale, gradOffset backends.Op, err error) {
	o, err := b.ownAll(operand, scale, mean, variance, gradOutput)
	if err != nil {
		return nil, nil, nil, err
	}
	x, back, err := b.featureLast(o[0], axis)
	if err != nil {
		return nil, nil, nil, err
	}
	v, _, err := b.featureLast(o[4], axis)
	if err != nil {
		return nil, nil, nil, err
	}
	c := x.shape.Dimensions[x.shape.Rank()-1]
	sums, err := b.add(engine.OpBatchNormGradSums, floats(2, c), float64(epsilon), v, x, o[2], o[3])
	if err != nil {
		return nil, nil, nil, err
	}
	coef, err := b.add(engine.OpBatchNormGradCoef, floats(3, c),
		engine.GradCoefAttr{Epsilon: float64(epsilon), Count: x.shape.Size() / c}, sums, o[1], o[2], o[3])
	if err != nil {
		return nil, nil, nil, err
	}
	dx, err := b.add(engine.OpAffine2, x.shape, nil, v, x, coef)
	if err != nil {
		return nil, nil, nil, err
	}
	if dx, err = back(dx); err != nil {
		return nil, nil, nil, err
	}
	offset, _ := b.view(sums, 0, floats(c))
	gain, _ := b.view(sums, c, floats(c))
	return dx, gain, offset, nil
}
