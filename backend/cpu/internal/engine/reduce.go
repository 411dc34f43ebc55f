package engine

import (
	"math"
	"slices"
	"unsafe"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// reduceFn folds the axes of Attr into one element each, in row-major order of the input.
func reduceFn(n *Node) (fn, bool) {
	switch n.Shape.Type {
	case Float32:
		if sumsPixels(n) {
			return sumPixels(n), true
		}
		return reduceOf[float32](n)
	case Float64:
		return reduceOf[float64](n)
	case Int8:
		return intReduceOf[int8](n)
	case Int32:
		return intReduceOf[int32](n)
	case Int64:
		return intReduceOf[int64](n)
	case Uint8:
		return intReduceOf[uint8](n)
	case Uint32:
		return intReduceOf[uint32](n)
	case Uint64:
		return intReduceOf[uint64](n)
	case Bool:
		switch n.Op {
		case OpReduceAnd, OpReduceMin:
			return reduceWith(n, true, func(a, b bool) bool { return a && b }), true
		case OpReduceOr, OpReduceMax:
			return reduceWith(n, false, func(a, b bool) bool { return a || b }), true
		case OpReduceXor:
			return reduceWith(n, false, func(a, b bool) bool { return a != b }), true
		}
	}
	return nil, false
}

// sumsPixels tells the sum over all pixels of each image, [N,…,C] → [N,C], that a kernel does in the same order as the
// general form.
func sumsPixels(n *Node) bool {
	in, axes := n.In[0].Shape, n.Attr.([]int)
	last := in.Rank() - 1
	return n.Op == OpReduceSum && last >= 2 && n.Shape.Rank() == 2 && !slices.Contains(axes, 0) && !slices.Contains(axes, last) &&
		in.Dims[last]%kernel.Group == 0 && in.Size() > 0
}

func sumPixels(n *Node) fn {
	in := n.In[0].Shape
	c := in.Dims[in.Rank()-1]
	pixels := in.rowSize() / c
	return func(w *worker, out unsafe.Pointer, p []unsafe.Pointer, rows int) {
		clear(slice[float32](out, rows*c))
		for i := range rows {
			for at := 0; at < c; at += kernel.Group {
				w.args = kernel.Args{
					Src0: floatAt(p[0], i*pixels*c+at), Count: pixels, Stride: c * 4, Sums: floatAt(out, i*c+at),
				}
				kernel.Active.Sum(&w.args)
			}
		}
	}
}

// lowest returns the identity of max, highest that of min.
func lowest[T number]() T {
	var z T
	switch any(z).(type) {
	case float32, float64:
		return T(math.Inf(-1))
	case int8:
		return fromBits[T](int8(math.MinInt8))
	case int32:
		return fromBits[T](int32(math.MinInt32))
	case int64:
		return fromBits[T](int64(math.MinInt64))
	}
	return 0
}

func highest[T number]() T {
	var z T
	switch any(z).(type) {
	case float32, float64:
		return T(math.Inf(1))
	case int8:
		return fromBits[T](int8(math.MaxInt8))
	case int32:
		return fromBits[T](int32(math.MaxInt32))
	case int64:
		return fromBits[T](int64(math.MaxInt64))
	}
	z--
	return z
}

func fromBits[T, U any](u U) T { return *(*T)(unsafe.Pointer(&u)) }

func combiner[T number](op Op) (T, func(a, b T) T, bool) {
	switch op {
	case OpReduceSum:
		return 0, func(a, b T) T { return a + b }, true
	case OpReduceProd:
		return 1, func(a, b T) T { return a * b }, true
	case OpReduceMax:
		return lowest[T](), func(a, b T) T { return max(a, b) }, true
	case OpReduceMin:
		return highest[T](), func(a, b T) T { return min(a, b) }, true
	}
	return 0, nil, false
}

func reduceOf[T number](n *Node) (fn, bool) {
	id, f, ok := combiner[T](n.Op)
	if !ok {
		return nil, false
	}
	return reduceWith(n, id, f), true
}

func intReduceOf[T integer](n *Node) (fn, bool) {
	switch n.Op {
	case OpReduceAnd:
		return reduceWith(n, ^T(0), func(a, b T) T { return a & b }), true
	case OpReduceOr:
		return reduceWith(n, 0, func(a, b T) T { return a | b }), true
	case OpReduceXor:
		return reduceWith(n, 0, func(a, b T) T { return a ^ b }), true
	}
	return reduceOf[T](n)
}

func reduceWith[T any](n *Node, id T, f func(a, b T) T) fn {
	in, axes := n.In[0].Shape, n.Attr.([]int)
	// Output strides seen from the input's axes; zero where an axis is folded.
	out := strides(n.Shape.Dims)
	to := make([]int, in.Rank())
	k := 0
	for i := range to {
		if !slices.Contains(axes, i) {
			to[i] = out[k]
			k++
		}
	}
	row := n.Shape.rowSize()
	rowwise := !slices.Contains(axes, 0) && in.Rank() > 0
	return func(w *worker, out unsafe.Pointer, p []unsafe.Pointer, rows int) {
		total, dims := n.Shape.Size(), in.Dims
		if rowwise {
			total, dims = rows*row, w.dims(0, in, rows)
		}
		o := slice[T](out, total)
		for i := range o {
			o[i] = id
		}
		if in.Size() == 0 {
			return
		}
		if len(dims) == 0 {
			o[0] = f(o[0], *(*T)(p[0]))
			return
		}
		last := len(dims) - 1
		size := Shape{in.Type, dims}.Size()
		x := slice[T](p[0], size)
		var room [maxRank]int
		idx := indices(&room, last)
		at := 0
		for start := 0; start < size; start += dims[last] {
			vs := x[start : start+dims[last]]
			if to[last] == 0 {
				acc := o[at]
				for _, v := range vs {
					acc = f(acc, v)
				}
				o[at] = acc
			} else {
				os := o[at : at+len(vs)]
				for i, v := range vs {
					os[i] = f(os[i], v)
				}
			}
			for a := last - 1; a >= 0; a-- {
				idx[a]++
				at += to[a]
				if idx[a] < dims[a] {
					break
				}
				at -= dims[a] * to[a]
				idx[a] = 0
			}
		}
	}
}

func argFn(n *Node) (fn, bool) {
	switch n.In[0].Shape.Type {
	case Float32:
		return argOf[float32](n)
	case Float64:
		return argOf[float64](n)
	case Int32:
		return argOf[int32](n)
	case Int64:
		return argOf[int64](n)
	case Uint8:
		return argOf[uint8](n)
	}
	return nil, false
}

func isNaN[T number](v T) bool { return math.IsNaN(float64(v)) }

func argOf[T number](n *Node) (fn, bool) {
	a, in := n.Attr.(ArgAttr), n.In[0].Shape
	inner := 1
	for _, d := range in.Dims[a.Axis+1:] {
		inner *= d
	}
	count := in.Dims[a.Axis]
	var put func(out unsafe.Pointer, i, v int)
	switch n.Shape.Type {
	case Int32, Uint32:
		put = func(out unsafe.Pointer, i, v int) { *(*int32)(unsafe.Add(out, 4*i)) = int32(v) }
	case Int64, Uint64:
		put = func(out unsafe.Pointer, i, v int) { *(*int64)(unsafe.Add(out, 8*i)) = int64(v) }
	case Uint8, Int8:
		put = func(out unsafe.Pointer, i, v int) { *(*uint8)(unsafe.Add(out, i)) = uint8(v) }
	default:
		return nil, false
	}
	return func(_ *worker, out unsafe.Pointer, p []unsafe.Pointer, _ int) {
		x := slice[T](p[0], in.Size())
		for o := range n.Shape.Size() {
			base := o/inner*inner*count + o%inner
			best := 0
			for i := 1; i < count; i++ {
				v, b := x[base+i*inner], x[base+best*inner]
				if a.Min && v < b || !a.Min && v > b || isNaN(v) && !isNaN(b) { // NaN wins, as in XLA
					best = i
				}
			}
			put(out, o, best)
		}
	}, true
}
