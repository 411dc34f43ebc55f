package model

import (
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/shapeinference"
)

// Operations on each element: one, two, or two that are compared; and reductions.

func one(t backends.OpType, x backends.Op) (backends.Op, error) {
	return result(shapeinference.UnaryOp(t, of(x)))
}

func two(t backends.OpType, x, y backends.Op) (backends.Op, error) {
	return result(shapeinference.BinaryOp(t, of(x), of(y)))
}

func compared(t backends.OpType, x, y backends.Op) (backends.Op, error) {
	return result(shapeinference.ComparisonOp(t, of(x), of(y)))
}

func reduced(x backends.Op, axes []int) (backends.Op, error) {
	s := of(x)
	if len(axes) == 0 {
		return as(x, s.DType, []int{}...)
	}
	s, err := shapeinference.ReduceOp(s, axes)
	s.DType = of(x).DType
	return result(s, err)
}

func (b *shapeBuilder) Abs(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeAbs, x)
}

func (b *shapeBuilder) Neg(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeNeg, x)
}

func (b *shapeBuilder) Exp(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeExp, x)
}

func (b *shapeBuilder) Expm1(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeExpm1, x)
}

func (b *shapeBuilder) Log(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeLog, x)
}

func (b *shapeBuilder) Log1p(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeLog1p, x)
}

func (b *shapeBuilder) Sqrt(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeSqrt, x)
}

func (b *shapeBuilder) Rsqrt(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeRsqrt, x)
}

func (b *shapeBuilder) Sin(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeSin, x)
}

func (b *shapeBuilder) Cos(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeCos, x)
}

func (b *shapeBuilder) Tanh(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeTanh, x)
}

func (b *shapeBuilder) Logistic(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeLogistic, x)
}

func (b *shapeBuilder) Erf(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeErf, x)
}

func (b *shapeBuilder) Sign(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeSign, x)
}

func (b *shapeBuilder) Floor(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeFloor, x)
}

func (b *shapeBuilder) Ceil(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeCeil, x)
}

func (b *shapeBuilder) Round(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeRound, x)
}

func (b *shapeBuilder) LogicalNot(x backends.Op) (backends.Op, error) {
	return one(backends.OpTypeLogicalNot, x)
}

func (b *shapeBuilder) Add(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeAdd, x, y)
}

func (b *shapeBuilder) Sub(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeSub, x, y)
}

func (b *shapeBuilder) Mul(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeMul, x, y)
}

func (b *shapeBuilder) Div(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeDiv, x, y)
}

func (b *shapeBuilder) Max(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeMax, x, y)
}

func (b *shapeBuilder) Min(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeMin, x, y)
}

func (b *shapeBuilder) Pow(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypePow, x, y)
}

func (b *shapeBuilder) Rem(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeRem, x, y)
}

func (b *shapeBuilder) LogicalAnd(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeLogicalAnd, x, y)
}

func (b *shapeBuilder) LogicalOr(x, y backends.Op) (backends.Op, error) {
	return two(backends.OpTypeLogicalOr, x, y)
}

func (b *shapeBuilder) Equal(x, y backends.Op) (backends.Op, error) {
	return compared(backends.OpTypeEqual, x, y)
}

func (b *shapeBuilder) NotEqual(x, y backends.Op) (backends.Op, error) {
	return compared(backends.OpTypeNotEqual, x, y)
}

func (b *shapeBuilder) LessThan(x, y backends.Op) (backends.Op, error) {
	return compared(backends.OpTypeLessThan, x, y)
}

func (b *shapeBuilder) LessOrEqual(x, y backends.Op) (backends.Op, error) {
	return compared(backends.OpTypeLessOrEqual, x, y)
}

func (b *shapeBuilder) GreaterThan(x, y backends.Op) (backends.Op, error) {
	return compared(backends.OpTypeGreaterThan, x, y)
}

func (b *shapeBuilder) GreaterOrEqual(x, y backends.Op) (backends.Op, error) {
	return compared(backends.OpTypeGreaterOrEqual, x, y)
}

func (b *shapeBuilder) ReduceSum(x backends.Op, axes ...int) (backends.Op, error) {
	return reduced(x, axes)
}

func (b *shapeBuilder) ReduceMax(x backends.Op, axes ...int) (backends.Op, error) {
	return reduced(x, axes)
}

func (b *shapeBuilder) ReduceMin(x backends.Op, axes ...int) (backends.Op, error) {
	return reduced(x, axes)
}

func (b *shapeBuilder) ReduceProduct(x backends.Op, axes ...int) (backends.Op, error) {
	return reduced(x, axes)
}

func (b *shapeBuilder) ReduceLogicalAnd(x backends.Op, axes ...int) (backends.Op, error) {
	return reduced(x, axes)
}

func (b *shapeBuilder) ReduceLogicalOr(x backends.Op, axes ...int) (backends.Op, error) {
	return reduced(x, axes)
}
