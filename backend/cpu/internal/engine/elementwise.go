package engine

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// fn computes a node: rows is the leading dimension of out (and of every input that goes with it
// row by row); a scalar has one row.
type fn func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int)

type number interface {
	~int8 | ~uint8 | ~int32 | ~int64 | ~uint32 | ~uint64 | ~float32 | ~float64
}

type integer interface {
	~int8 | ~uint8 | ~int32 | ~int64 | ~uint32 | ~uint64
}

type floating interface{ ~float32 | ~float64 }

func slice[T any](p unsafe.Pointer, n int) []T { return unsafe.Slice((*T)(p), n) }

func mapFn[I, O any](row int, f func(I) O) fn {
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		o, x := slice[O](out, rows*row), slice[I](in[0], rows*row)
		for i, v := range x {
			o[i] = f(v)
		}
	}
}

// zipFn applies f to two inputs of equal size, or to one and a single element.
func zipFn[I, O any](n *Node, f func(a, b I) O) fn {
	row := n.Shape.rowSize()
	size := n.Shape.Size()
	lone := [2]bool{n.In[0].Shape.Size() == 1 && size > 1, n.In[1].Shape.Size() == 1 && size > 1}
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		o := slice[O](out, rows*row)
		switch {
		case lone[0]:
			a, y := *(*I)(in[0]), slice[I](in[1], rows*row)
			for i, v := range y {
				o[i] = f(a, v)
			}
		case lone[1]:
			x, b := slice[I](in[0], rows*row), *(*I)(in[1])
			for i, v := range x {
				o[i] = f(v, b)
			}
		default:
			x, y := slice[I](in[0], rows*row), slice[I](in[1], rows*row)
			for i, v := range x {
				o[i] = f(v, y[i])
			}
		}
	}
}

func unaryFn(n *Node) (fn, bool) {
	row := n.Shape.rowSize()
	switch t := n.In[0].Shape.Type; t {
	case Float32:
		return floatUnary[float32](n.Op, row)
	case Float64:
		return floatUnary[float64](n.Op, row)
	case Int8:
		return intUnary[int8](n.Op, row)
	case Int32:
		return intUnary[int32](n.Op, row)
	case Int64:
		return intUnary[int64](n.Op, row)
	case Uint8:
		return intUnary[uint8](n.Op, row)
	case Uint32:
		return intUnary[uint32](n.Op, row)
	case Uint64:
		return intUnary[uint64](n.Op, row)
	case Bool:
		if n.Op == OpNot {
			return mapFn(row, func(b bool) bool { return !b }), true
		}
	}
	return nil, false
}

func floatUnary[T floating](op Op, row int) (fn, bool) {
	lift := func(f func(float64) float64) (fn, bool) {
		return mapFn(row, func(x T) T { return T(f(float64(x))) }), true
	}
	switch op {
	case OpAbs:
		return lift(math.Abs)
	case OpNeg:
		return mapFn(row, func(x T) T { return -x }), true
	case OpExp:
		return lift(math.Exp)
	case OpExpm1:
		return lift(math.Expm1)
	case OpLog:
		return lift(math.Log)
	case OpLog1p:
		return lift(math.Log1p)
	case OpSqrt:
		return lift(math.Sqrt)
	case OpRsqrt:
		return lift(func(x float64) float64 { return 1 / math.Sqrt(x) })
	case OpSin:
		return lift(math.Sin)
	case OpCos:
		return lift(math.Cos)
	case OpTanh:
		return lift(math.Tanh)
	case OpLogistic:
		return lift(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })
	case OpErf:
		return lift(math.Erf)
	case OpFloor:
		return lift(math.Floor)
	case OpCeil:
		return lift(math.Ceil)
	case OpRound:
		return lift(math.RoundToEven)
	case OpSign:
		return mapFn(row, sign[T]), true
	case OpIsFinite:
		return mapFn(row, func(x T) bool { return !math.IsInf(float64(x), 0) && !math.IsNaN(float64(x)) }), true
	case OpIsNaN:
		return mapFn(row, func(x T) bool { return math.IsNaN(float64(x)) }), true
	}
	return nil, false
}

func sign[T number](x T) T {
	var zero T
	switch {
	case x > zero:
		return 1
	case x < zero:
		zero--
		return zero
	}
	return x
}

func intUnary[T integer](op Op, row int) (fn, bool) {
	switch op {
	case OpAbs:
		return mapFn(row, func(x T) T {
			if x < 0 {
				return -x
			}
			return x
		}), true
	case OpNeg:
		return mapFn(row, func(x T) T { return -x }), true
	case OpSign:
		return mapFn(row, sign[T]), true
	case OpNot:
		return mapFn(row, func(x T) T { return ^x }), true
	case OpBitCount:
		return mapFn(row, func(x T) T { return T(bits.OnesCount64(ownBits(x))) }), true
	case OpLeadingZeros:
		return mapFn(row, func(x T) T { return T(int(8*unsafe.Sizeof(x)) - bits.Len64(ownBits(x))) }), true
	}
	return nil, false
}

// ownBits returns the bits of x without those of its sign's extension.
func ownBits[T integer](x T) uint64 { return uint64(x) & (math.MaxUint64 >> (64 - 8*unsafe.Sizeof(x))) }

func binaryFn(n *Node) (fn, bool) {
	if f, ok := fastBinary(n); ok {
		return f, true
	}
	switch n.In[0].Shape.Type {
	case Float32:
		return floatBinary[float32](n)
	case Float64:
		return floatBinary[float64](n)
	case Int8:
		return intBinary[int8](n)
	case Int32:
		return intBinary[int32](n)
	case Int64:
		return intBinary[int64](n)
	case Uint8:
		return intBinary[uint8](n)
	case Uint32:
		return intBinary[uint32](n)
	case Uint64:
		return intBinary[uint64](n)
	case Bool:
		return boolBinary(n)
	}
	return nil, false
}

func boolBinary(n *Node) (fn, bool) {
	switch n.Op {
	case OpAnd:
		return zipFn(n, func(a, b bool) bool { return a && b }), true
	case OpOr:
		return zipFn(n, func(a, b bool) bool { return a || b }), true
	case OpXor, OpNotEqual:
		return zipFn(n, func(a, b bool) bool { return a != b }), true
	case OpEqual:
		return zipFn(n, func(a, b bool) bool { return a == b }), true
	}
	return nil, false
}

func ordered[T number](n *Node) (fn, bool) {
	switch n.Op {
	case OpAdd:
		return zipFn(n, func(a, b T) T { return a + b }), true
	case OpSub:
		return zipFn(n, func(a, b T) T { return a - b }), true
	case OpMul:
		return zipFn(n, func(a, b T) T { return a * b }), true
	case OpEqual:
		return zipFn(n, func(a, b T) bool { return a == b }), true
	case OpNotEqual:
		return zipFn(n, func(a, b T) bool { return a != b }), true
	case OpLess:
		return zipFn(n, func(a, b T) bool { return a < b }), true
	case OpLessEqual:
		return zipFn(n, func(a, b T) bool { return a <= b }), true
	case OpGreater:
		return zipFn(n, func(a, b T) bool { return a > b }), true
	case OpGreaterEqual:
		return zipFn(n, func(a, b T) bool { return a >= b }), true
	}
	return nil, false
}

func floatBinary[T floating](n *Node) (fn, bool) {
	switch n.Op {
	case OpDiv:
		return zipFn(n, func(a, b T) T { return a / b }), true
	case OpMax:
		return zipFn(n, func(a, b T) T { return max(a, b) }), true
	case OpMin:
		return zipFn(n, func(a, b T) T { return min(a, b) }), true
	case OpPow:
		return zipFn(n, func(a, b T) T { return T(math.Pow(float64(a), float64(b))) }), true
	case OpRem:
		return zipFn(n, func(a, b T) T { return T(math.Mod(float64(a), float64(b))) }), true
	}
	return ordered[T](n)
}

func intBinary[T integer](n *Node) (fn, bool) {
	switch n.Op {
	case OpDiv:
		return zipFn(n, func(a, b T) T {
			if b == 0 { // as XLA: all ones
				return ^T(0)
			}
			return a / b
		}), true
	case OpRem:
		return zipFn(n, func(a, b T) T {
			if b == 0 {
				return a
			}
			return a % b
		}), true
	case OpMax:
		return zipFn(n, func(a, b T) T { return max(a, b) }), true
	case OpMin:
		return zipFn(n, func(a, b T) T { return min(a, b) }), true
	case OpPow:
		return zipFn(n, intPow[T]), true
	case OpAnd:
		return zipFn(n, func(a, b T) T { return a & b }), true
	case OpOr:
		return zipFn(n, func(a, b T) T { return a | b }), true
	case OpXor:
		return zipFn(n, func(a, b T) T { return a ^ b }), true
	case OpShiftLeft:
		return zipFn(n, func(a, b T) T { return a << shift(b) }), true
	case OpShiftRight:
		return zipFn(n, func(a, b T) T { return a >> shift(b) }), true
	}
	return ordered[T](n)
}

func shift[T integer](b T) uint { return uint(min(uint64(b), bits.UintSize)) }

func intPow[T integer](a, b T) T {
	r := T(1)
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			r *= a
		}
		a *= a
	}
	return r
}

// fastBinary covers float32 addition, subtraction and multiplication with vector kernels.
func fastBinary(n *Node) (fn, bool) {
	if n.In[0].Shape.Type != Float32 {
		return nil, false
	}
	k := kernel.Active
	row := n.Shape.rowSize()
	a, b := n.In[0].Shape.Size(), n.In[1].Shape.Size()
	if a == b {
		var body func(*kernel.Args)
		var tail func(x, y float32) float32
		switch n.Op {
		case OpAdd:
			body, tail = k.Add, func(x, y float32) float32 { return x + y }
		case OpSub:
			body, tail = k.Sub, func(x, y float32) float32 { return x - y }
		case OpMul:
			body, tail = k.Mul, func(x, y float32) float32 { return x * y }
		case OpReluGrad:
			body, tail = k.ReluGrad, func(v, x float32) float32 {
				if x >= 0 {
					return v
				}
				return 0
			}
		default:
			return nil, false
		}
		return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
			flat(w, out, in[0], in[1], rows*row, body, tail)
		}, true
	}
	scalar, vector := 1, 0
	if a == 1 {
		scalar, vector = 0, 1
	}
	negate := false
	var body func(*kernel.Args)
	var tail func(x, y float32) float32
	switch n.Op {
	case OpAdd:
		body, tail = k.AddScalar, func(x, y float32) float32 { return x + y }
	case OpSub:
		if scalar == 0 {
			return nil, false
		}
		negate = true
		body, tail = k.AddScalar, func(x, y float32) float32 { return x + y }
	case OpMul:
		body, tail = k.MulScalar, func(x, y float32) float32 { return x * y }
	default:
		return nil, false
	}
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		s := *(*float32)(in[scalar])
		if negate {
			s = -s
		}
		w.coef[0] = s
		total := rows * row
		w.args = kernel.Args{Dst: out, Src0: in[vector], Count: total / kernel.Group, Coef: unsafe.Pointer(&w.coef[0])}
		body(&w.args)
		o, x := slice[float32](out, total), slice[float32](in[vector], total)
		for i := total &^ (kernel.Group - 1); i < total; i++ {
			o[i] = tail(x[i], s)
		}
	}, true
}

// flat runs a two-source vector kernel over n floats, and tail over what is left of the last group.
func flat(w *worker, out, a, b unsafe.Pointer, n int, body func(*kernel.Args), tail func(x, y float32) float32) {
	w.args = kernel.Args{Dst: out, Src0: a, Src1: b, Count: n / kernel.Group}
	body(&w.args)
	if n%kernel.Group == 0 {
		return
	}
	o, x, y := slice[float32](out, n), slice[float32](a, n), slice[float32](b, n)
	for i := n &^ (kernel.Group - 1); i < n; i++ {
		o[i] = tail(x[i], y[i])
	}
}

func reluFn(n *Node) fn {
	row := n.Shape.rowSize()
	body, tail := kernel.Active.Relu, func(x, _ float32) float32 { return max(x, 0) }
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		flat(w, out, in[0], in[0], rows*row, body, tail)
	}
}

func whereFn(n *Node) fn {
	row := n.Shape.rowSize()
	size := n.Shape.Size()
	lone := [3]bool{}
	for i, in := range n.In {
		lone[i] = in.Shape.Size() == 1 && size > 1
	}
	switch n.Shape.Type.Size() {
	case 1:
		return whereOf[uint8](row, lone)
	case 4:
		return whereOf[uint32](row, lone)
	}
	return whereOf[uint64](row, lone)
}

func whereOf[T any](row int, lone [3]bool) fn {
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		total := rows * row
		pick := func(i, at int) int {
			if lone[i] {
				return 0
			}
			return at
		}
		count := func(i int) int {
			if lone[i] {
				return 1
			}
			return total
		}
		c, a, b := slice[bool](in[0], count(0)), slice[T](in[1], count(1)), slice[T](in[2], count(2))
		o := slice[T](out, total)
		for i := range o {
			if c[pick(0, i)] {
				o[i] = a[pick(1, i)]
			} else {
				o[i] = b[pick(2, i)]
			}
		}
	}
}

func convertFn(n *Node) fn {
	switch n.In[0].Shape.Type {
	case Bool:
		return convertFromBool(n)
	case Int8:
		return convertFrom[int8](n)
	case Uint8:
		return convertFrom[uint8](n)
	case Int32:
		return convertFrom[int32](n)
	case Int64:
		return convertFrom[int64](n)
	case Uint32:
		return convertFrom[uint32](n)
	case Uint64:
		return convertFrom[uint64](n)
	case Float32:
		return convertFrom[float32](n)
	}
	return convertFrom[float64](n)
}

func convertFromBool(n *Node) fn {
	inner := &Node{Op: OpConvert, Shape: n.Shape, In: []*Node{{Shape: Shape{Uint8, n.In[0].Shape.Dims}}}}
	return convertFn(inner) // a bool is a byte of 0 or 1
}

func convertFrom[I number](n *Node) fn {
	row := n.Shape.rowSize()
	switch n.Shape.Type {
	case Bool:
		return mapFn(row, func(x I) bool { return x != 0 })
	case Int8:
		return mapFn(row, func(x I) int8 { return int8(x) })
	case Uint8:
		return mapFn(row, func(x I) uint8 { return uint8(x) })
	case Int32:
		return mapFn(row, func(x I) int32 { return int32(x) })
	case Int64:
		return mapFn(row, func(x I) int64 { return int64(x) })
	case Uint32:
		return mapFn(row, func(x I) uint32 { return uint32(x) })
	case Uint64:
		return mapFn(row, func(x I) uint64 { return uint64(x) })
	case Float32:
		return mapFn(row, func(x I) float32 { return float32(x) })
	}
	return mapFn(row, func(x I) float64 { return float64(x) })
}
