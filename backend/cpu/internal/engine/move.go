package engine

import (
	"slices"
	"unsafe"
)

// Operations that only move elements are strided copies: an output index maps to an input offset
// by one stride an axis, which may be zero (broadcast) or negative (reverse).

func stridedAny(size int, dst, src unsafe.Pointer, dims, dstStrides, srcStrides []int) {
	switch size {
	case 1:
		strided[uint8](dst, src, dims, dstStrides, srcStrides)
	case 4:
		strided[uint32](dst, src, dims, dstStrides, srcStrides)
	default:
		strided[uint64](dst, src, dims, dstStrides, srcStrides)
	}
}

func broadcastFn(n *Node) fn {
	size, in := n.Shape.Type.Size(), n.In[0].Shape
	axes := n.Attr.(BroadcastAttr).Axes
	inStrides := strides(in.Dims)
	src := make([]int, n.Shape.Rank())
	for i, a := range axes {
		if in.Dims[i] == n.Shape.Dims[a] {
			src[a] = inStrides[i]
		}
	}
	dst := strides(n.Shape.Dims)
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		stridedAny(size, out, in[0], w.dims(0, n.Shape, rows), dst, src)
	}
}

func transposeFn(n *Node) fn {
	size, perm := n.Shape.Type.Size(), n.Attr.([]int)
	inStrides := strides(n.In[0].Shape.Dims)
	src := make([]int, len(perm))
	for i, a := range perm {
		src[i] = inStrides[a]
	}
	dst := strides(n.Shape.Dims)
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		stridedAny(size, out, in[0], w.dims(0, n.Shape, rows), dst, src)
	}
}

func reverseFn(n *Node) fn {
	size, axes := n.Shape.Type.Size(), n.Attr.([]int)
	dst := strides(n.Shape.Dims)
	src := slices.Clone(dst)
	for _, a := range axes {
		src[a] = -src[a]
	}
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		dims := w.dims(0, n.Shape, rows)
		base := 0
		for _, a := range axes {
			base += (dims[a] - 1) * dst[a]
		}
		if n.Shape.Size() == 0 {
			return
		}
		stridedAny(size, out, unsafe.Add(in[0], base*size), dims, dst, src)
	}
}

func sliceFn(n *Node) fn {
	size, a := n.Shape.Type.Size(), n.Attr.(SliceAttr)
	in := strides(n.In[0].Shape.Dims)
	dst := strides(n.Shape.Dims)
	src := make([]int, len(in))
	base := 0
	for i, s := range in {
		src[i] = s * a.Strides[i]
		base += s * a.Starts[i]
	}
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		if n.Shape.Size() == 0 {
			return
		}
		stridedAny(size, out, unsafe.Add(in[0], base*size), w.dims(0, n.Shape, rows), dst, src)
	}
}

// fill sets count elements of size bytes to the one at value.
func fill(size int, dst, value unsafe.Pointer, count int) {
	switch size {
	case 1:
		fillOf[uint8](dst, value, count)
	case 4:
		fillOf[uint32](dst, value, count)
	default:
		fillOf[uint64](dst, value, count)
	}
}

func fillOf[T any](dst, value unsafe.Pointer, count int) {
	v, d := *(*T)(value), slice[T](dst, count)
	for i := range d {
		d[i] = v
	}
}

func padFn(n *Node) fn {
	size, axes := n.Shape.Type.Size(), n.Attr.([]PadAxis)
	in := n.In[0].Shape
	inStrides, outStrides := strides(in.Dims), strides(n.Shape.Dims)
	// The part of the input that stays inside (negative padding crops), and where it goes.
	dst := make([]int, len(axes))
	first, count, at := make([]int, len(axes)), make([]int, len(axes)), make([]int, len(axes))
	for i, a := range axes {
		step := a.Interior + 1
		dst[i] = outStrides[i] * step
		for f := range in.Dims[i] {
			o := a.Start + f*step
			if o < 0 {
				continue
			}
			if o >= n.Shape.Dims[i] {
				break
			}
			if count[i] == 0 {
				first[i], at[i] = f, o
			}
			count[i]++
		}
	}
	from, to := 0, 0
	for i := range axes {
		from += first[i] * inStrides[i]
		to += at[i] * outStrides[i]
	}
	row := n.Shape.rowSize()
	rowwise := padKeepsRows(n)
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		fill(size, out, in[1], rows*row)
		dims := slices.Clone(count)
		if rowwise {
			dims[0] = rows
		}
		if slices.Contains(dims, 0) {
			return
		}
		stridedAny(size, unsafe.Add(out, to*size), unsafe.Add(in[0], from*size), dims, dst, inStrides)
	}
}

func padKeepsRows(n *Node) bool {
	a := n.Attr.([]PadAxis)
	return len(a) > 0 && a[0] == PadAxis{}
}

func concatFn(n *Node) fn {
	size, axis := n.Shape.Type.Size(), n.Attr.(int)
	dst := strides(n.Shape.Dims)
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		at := 0
		for i, p := range in {
			s := n.In[i].Shape
			dims := s.Dims
			if axis != 0 {
				dims = w.dims(0, s, rows)
			}
			if s.Size() > 0 {
				stridedAny(size, unsafe.Add(out, at*dst[axis]*size), p, dims, dst, strides(s.Dims))
			}
			at += s.Dims[axis]
		}
	}
}

// dynamicStart reads the start indices, clamped so that the slice stays inside.
func dynamicStart(n *Node, in []unsafe.Pointer, first int, operand, slice []int) []int {
	at := make([]int, len(operand))
	for i := range at {
		k, e := first+i, 0
		if n.In[first].Shape.Rank() == 1 { // all indices in one vector
			k, e = first, i
		}
		at[i] = max(0, min(readInt(n.In[k].Shape.Type, in[k], e), operand[i]-slice[i]))
	}
	return at
}

func readInt(t Type, p unsafe.Pointer, i int) int {
	switch t {
	case Int8:
		return int(slice[int8](p, i+1)[i])
	case Uint8:
		return int(slice[uint8](p, i+1)[i])
	case Int32:
		return int(slice[int32](p, i+1)[i])
	case Uint32:
		return int(slice[uint32](p, i+1)[i])
	default:
		return int(slice[int64](p, i+1)[i])
	}
}

func dynamicSliceFn(n *Node) fn {
	size, in := n.Shape.Type.Size(), n.In[0].Shape
	src, dst := strides(in.Dims), strides(n.Shape.Dims)
	return func(_ *worker, out unsafe.Pointer, p []unsafe.Pointer, _ int) {
		base := 0
		for i, s := range dynamicStart(n, p, 1, in.Dims, n.Shape.Dims) {
			base += s * src[i]
		}
		stridedAny(size, out, unsafe.Add(p[0], base*size), n.Shape.Dims, dst, src)
	}
}

func dynamicUpdateFn(n *Node) fn {
	size, up := n.Shape.Type.Size(), n.In[1].Shape
	dst, src := strides(n.Shape.Dims), strides(up.Dims)
	return func(_ *worker, out unsafe.Pointer, p []unsafe.Pointer, _ int) {
		copy(slice[byte](out, n.Shape.Bytes()), slice[byte](p[0], n.Shape.Bytes()))
		base := 0
		for i, s := range dynamicStart(n, p, 2, n.Shape.Dims, up.Dims) {
			base += s * dst[i]
		}
		stridedAny(size, unsafe.Add(out, base*size), p[1], up.Dims, dst, src)
	}
}
