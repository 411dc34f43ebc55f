package cpu

import (
	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/backend/cpu/internal/engine"
)

// The element-wise operations and plain reductions of backends.StandardOps: a line each.

func (b *builder) Abs(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeAbs, engine.OpAbs, x)
}

func (b *builder) Neg(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeNeg, engine.OpNeg, x)
}

func (b *builder) Exp(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeExp, engine.OpExp, x)
}

func (b *builder) Expm1(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeExpm1, engine.OpExpm1, x)
}

func (b *builder) Log(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeLog, engine.OpLog, x)
}

func (b *builder) Log1p(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeLog1p, engine.OpLog1p, x)
}

func (b *builder) Sqrt(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeSqrt, engine.OpSqrt, x)
}

func (b *builder) Rsqrt(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeRsqrt, engine.OpRsqrt, x)
}

func (b *builder) Sin(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeSin, engine.OpSin, x)
}

func (b *builder) Cos(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeCos, engine.OpCos, x)
}

func (b *builder) Tanh(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeTanh, engine.OpTanh, x)
}

func (b *builder) Logistic(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeLogistic, engine.OpLogistic, x)
}

func (b *builder) Erf(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeErf, engine.OpErf, x)
}

func (b *builder) Sign(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeSign, engine.OpSign, x)
}

func (b *builder) Floor(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeFloor, engine.OpFloor, x)
}

func (b *builder) Ceil(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeCeil, engine.OpCeil, x)
}

func (b *builder) Round(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeRound, engine.OpRound, x)
}

func (b *builder) LogicalNot(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeLogicalNot, engine.OpNot, x)
}

func (b *builder) BitCount(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeBitCount, engine.OpBitCount, x)
}

func (b *builder) Clz(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeClz, engine.OpLeadingZeros, x)
}

func (b *builder) BitwiseNot(x backends.Op) (backends.Op, error) {
	return b.unary(backends.OpTypeBitwiseNot, engine.OpNot, x)
}

func (b *builder) Add(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeAdd, engine.OpAdd, l, r)
}

func (b *builder) Sub(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeSub, engine.OpSub, l, r)
}

func (b *builder) Mul(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeMul, engine.OpMul, l, r)
}

func (b *builder) Div(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeDiv, engine.OpDiv, l, r)
}

func (b *builder) Max(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeMax, engine.OpMax, l, r)
}

func (b *builder) Min(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeMin, engine.OpMin, l, r)
}

func (b *builder) Pow(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypePow, engine.OpPow, l, r)
}

func (b *builder) Rem(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeRem, engine.OpRem, l, r)
}

func (b *builder) LogicalAnd(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeLogicalAnd, engine.OpAnd, l, r)
}

func (b *builder) LogicalOr(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeLogicalOr, engine.OpOr, l, r)
}

func (b *builder) LogicalXor(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeLogicalXor, engine.OpXor, l, r)
}

func (b *builder) BitwiseAnd(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeBitwiseAnd, engine.OpAnd, l, r)
}

func (b *builder) BitwiseOr(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeBitwiseOr, engine.OpOr, l, r)
}

func (b *builder) BitwiseXor(l, r backends.Op) (backends.Op, error) {
	return b.binary(backends.OpTypeBitwiseXor, engine.OpXor, l, r)
}

func (b *builder) Equal(l, r backends.Op) (backends.Op, error) {
	return b.compare(backends.OpTypeEqual, engine.OpEqual, l, r)
}

func (b *builder) NotEqual(l, r backends.Op) (backends.Op, error) {
	return b.compare(backends.OpTypeNotEqual, engine.OpNotEqual, l, r)
}

func (b *builder) LessThan(l, r backends.Op) (backends.Op, error) {
	return b.compare(backends.OpTypeLessThan, engine.OpLess, l, r)
}

func (b *builder) LessOrEqual(l, r backends.Op) (backends.Op, error) {
	return b.compare(backends.OpTypeLessOrEqual, engine.OpLessEqual, l, r)
}

func (b *builder) GreaterThan(l, r backends.Op) (backends.Op, error) {
	return b.compare(backends.OpTypeGreaterThan, engine.OpGreater, l, r)
}

func (b *builder) GreaterOrEqual(l, r backends.Op) (backends.Op, error) {
	return b.compare(backends.OpTypeGreaterOrEqual, engine.OpGreaterEqual, l, r)
}

func (b *builder) ReduceSum(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceSum, x, axes)
}

func (b *builder) ReduceMax(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceMax, x, axes)
}

func (b *builder) ReduceMin(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceMin, x, axes)
}

func (b *builder) ReduceProduct(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceProd, x, axes)
}

func (b *builder) ReduceLogicalAnd(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceAnd, x, axes)
}

func (b *builder) ReduceLogicalOr(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceOr, x, axes)
}

func (b *builder) ReduceLogicalXor(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceXor, x, axes)
}

func (b *builder) ReduceBitwiseAnd(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceAnd, x, axes)
}

func (b *builder) ReduceBitwiseOr(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceOr, x, axes)
}

func (b *builder) ReduceBitwiseXor(x backends.Op, axes ...int) (backends.Op, error) {
	return b.reduce(engine.OpReduceXor, x, axes)
}
