package engine

import (
	"slices"
	"unsafe"
)

// The general forms: slow, for any axes and numeric type, and the twins that the fast paths are
// tested against.

func orOnes(v []int, n int) []int {
	if len(v) > 0 {
		return v
	}
	return slices.Repeat([]int{1}, n)
}

func orNoPads(v [][2]int, n int) [][2]int {
	if len(v) > 0 {
		return v
	}
	return make([][2]int, n)
}

func pick(dims, axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[i] = dims[a]
	}
	return out
}

// count advances idx through dims in row-major order and reports whether it has wrapped around.
func count(idx, dims []int) (done bool) {
	for a := len(dims) - 1; a >= 0; a-- {
		if idx[a]++; idx[a] < dims[a] {
			return false
		}
		idx[a] = 0
	}
	return true
}

func convFn(n *Node) (fn, bool) {
	switch n.Shape.Type {
	case Float32:
		return convOf[float32](n), true
	case Float64:
		return convOf[float64](n), true
	case Int32:
		return convOf[int32](n), true
	case Int64:
		return convOf[int64](n), true
	}
	return nil, false
}

func convOf[T number](n *Node) fn {
	a := n.Attr.(*ConvAttr)
	rank := len(a.InSpatial)
	xs, ks, os := strides(n.In[0].Shape.Dims), strides(n.In[1].Shape.Dims), strides(n.Shape.Dims)
	xSpatial, kSpatial, oSpatial := pick(n.In[0].Shape.Dims, a.InSpatial), pick(n.In[1].Shape.Dims, a.KernelSpatial), pick(n.Shape.Dims, a.OutSpatial)
	step, inDil, kerDil := orOnes(a.Strides, rank), orOnes(a.InDilation, rank), orOnes(a.KerDilation, rank)
	pads := orNoPads(a.Pads, rank)
	batch, channels := n.Shape.Dims[a.OutBatch], n.Shape.Dims[a.OutChannel]
	perGroup := n.In[1].Shape.Dims[a.KernelIn]
	groups, batchGroups := max(1, a.ChannelGroups), max(1, a.BatchGroups)
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		x, k := slice[T](in[0], n.In[0].Shape.Size()), slice[T](in[1], n.In[1].Shape.Size())
		o := slice[T](out, n.Shape.Size())
		pos, kpos := make([]int, rank), make([]int, rank)
		for b := range batch {
			for {
				oBase := b * os[a.OutBatch]
				for i, p := range pos {
					oBase += p * os[a.OutSpatial[i]]
				}
				for co := range channels {
					xb, ci0 := b, co/(channels/groups)*perGroup
					if batchGroups > 1 {
						xb, ci0 = co/(channels/batchGroups)*batch+b, 0
					}
					var sum T
					for {
						xBase, kBase, inside := xb*xs[a.InBatch]+ci0*xs[a.InChannel], co*ks[a.KernelOut], true
						for i := range rank {
							at := pos[i]*step[i] + kpos[i]*kerDil[i] - pads[i][0]
							if at < 0 || at%inDil[i] != 0 || at/inDil[i] >= xSpatial[i] {
								inside = false
								break
							}
							xBase += at / inDil[i] * xs[a.InSpatial[i]]
							kp := kpos[i]
							if a.ReverseKernel {
								kp = kSpatial[i] - 1 - kp
							}
							kBase += kp * ks[a.KernelSpatial[i]]
						}
						if inside {
							for c := range perGroup {
								sum += x[xBase+c*xs[a.InChannel]] * k[kBase+c*ks[a.KernelIn]]
							}
						}
						if count(kpos, kSpatial) {
							break
						}
					}
					o[oBase+co*os[a.OutChannel]] = sum
				}
				if count(pos, oSpatial) {
					break
				}
			}
		}
	}
}

func dotFn(n *Node) (fn, bool) {
	switch n.Shape.Type {
	case Float32:
		return dotOf[float32](n), true
	case Float64:
		return dotOf[float64](n), true
	case Int32:
		return dotOf[int32](n), true
	case Int64:
		return dotOf[int64](n), true
	case Uint8:
		return dotOf[uint8](n), true
	case Int8:
		return dotOf[int8](n), true
	case Uint32:
		return dotOf[uint32](n), true
	case Uint64:
		return dotOf[uint64](n), true
	}
	return nil, false
}

// dotOf: out is batch axes, then the left's free axes, then the right's, in order.
func dotOf[T number](n *Node) fn {
	a := n.Attr.(*DotAttr)
	l, r := n.In[0].Shape, n.In[1].Shape
	ls, rs := strides(l.Dims), strides(r.Dims)
	free := func(rank int, used ...[]int) []int {
		var f []int
		for i := range rank {
			if !slices.Contains(slices.Concat(used...), i) {
				f = append(f, i)
			}
		}
		return f
	}
	lf, rf := free(l.Rank(), a.LContract, a.LBatch), free(r.Rank(), a.RContract, a.RBatch)
	bDims, mDims, nDims, kDims := pick(l.Dims, a.LBatch), pick(l.Dims, lf), pick(r.Dims, rf), pick(l.Dims, a.LContract)
	offsets := func(dims []int, axes, st []int) []int {
		var all []int
		idx := make([]int, len(dims))
		if slices.Contains(dims, 0) {
			return nil
		}
		for {
			at := 0
			for i, x := range idx {
				at += x * st[axes[i]]
			}
			all = append(all, at)
			if count(idx, dims) {
				return all
			}
		}
	}
	lb, rb := offsets(bDims, a.LBatch, ls), offsets(bDims, a.RBatch, rs)
	lm, rn := offsets(mDims, lf, ls), offsets(nDims, rf, rs)
	lk, rk := offsets(kDims, a.LContract, ls), offsets(kDims, a.RContract, rs)
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, _ int) {
		x, y, o := slice[T](in[0], l.Size()), slice[T](in[1], r.Size()), slice[T](out, n.Shape.Size())
		at := 0
		for b := range lb {
			for _, m := range lm {
				row := o[at : at+len(rn)]
				clear(row)
				for k := range lk {
					v := x[lb[b]+m+lk[k]]
					base := rb[b] + rk[k]
					for j, off := range rn {
						row[j] += v * y[base+off]
					}
				}
				at += len(rn)
			}
		}
	}
}

func poolFn(n *Node) (fn, bool) {
	a := n.Attr.(*WindowAttr)
	if p, ok := imagePoolOf(a, n.In[0].Shape, n.Shape); ok {
		if f, ok := imagePoolFn(p, a.Reduce); ok {
			return f, true
		}
	}
	switch n.Shape.Type {
	case Float32:
		return poolOf[float32](n, a)
	case Float64:
		return poolOf[float64](n, a)
	case Int32:
		return poolOf[int32](n, a)
	case Int64:
		return poolOf[int64](n, a)
	case Bool:
		switch a.Reduce {
		case OpReduceMax:
			return poolWith(n, a, false, func(a, b bool) bool { return a || b }), true
		case OpReduceMin:
			return poolWith(n, a, true, func(a, b bool) bool { return a && b }), true
		}
	}
	return nil, false
}

func poolOf[T number](n *Node, a *WindowAttr) (fn, bool) {
	id, f, ok := combiner[T](a.Reduce)
	if !ok {
		return nil, false
	}
	return poolWith(n, a, id, f), true
}

func poolWith[T any](n *Node, a *WindowAttr, id T, f func(a, b T) T) fn {
	in := n.In[0].Shape
	rank := in.Rank()
	step, base, win, pads := orOnes(a.Strides, rank), orOnes(a.BaseDil, rank), orOnes(a.WinDil, rank), orNoPads(a.Pads, rank)
	xs := strides(in.Dims)
	return func(w *worker, out unsafe.Pointer, p []unsafe.Pointer, rows int) {
		dims, inDims := n.Shape.Dims, in.Dims
		if poolKeepsRows(n) {
			dims, inDims = w.dims(0, n.Shape, rows), w.dims(1, in, rows)
		}
		x, o := slice[T](p[0], Shape{in.Type, inDims}.Size()), slice[T](out, Shape{n.Shape.Type, dims}.Size())
		pos, off := make([]int, rank), make([]int, rank)
		for i := range o {
			acc := id
			for {
				at, inside := 0, true
				for d := range rank {
					c := pos[d]*step[d] + off[d]*win[d] - pads[d][0]
					if c < 0 || c%base[d] != 0 || c/base[d] >= inDims[d] {
						inside = false
						break
					}
					at += c / base[d] * xs[d]
				}
				if inside {
					acc = f(acc, x[at])
				}
				if count(off, a.Window) {
					break
				}
			}
			o[i] = acc
			count(pos, dims)
		}
	}
}

func poolKeepsRows(n *Node) bool {
	a := n.Attr.(*WindowAttr)
	rank := len(a.Window)
	return rank > 0 && a.Window[0] == 1 && orOnes(a.Strides, rank)[0] == 1 &&
		orOnes(a.BaseDil, rank)[0] == 1 && orNoPads(a.Pads, rank)[0] == [2]int{}
}

// scatterPoolFn adds each source element to the first extreme element of its window (the gradient
// of max and min pooling).
func scatterPoolFn(n *Node) (fn, bool) {
	a := n.Attr.(*WindowAttr)
	if p, ok := imagePoolOf(a, n.In[0].Shape, n.In[1].Shape); ok {
		return imageScatterFn(p, a.Min), true
	}
	switch n.Shape.Type {
	case Float32:
		return scatterPoolOf[float32](n), true
	case Float64:
		return scatterPoolOf[float64](n), true
	}
	return nil, false
}

func scatterPoolOf[T number](n *Node) fn {
	a := n.Attr.(*WindowAttr)
	in, src := n.In[0].Shape, n.In[1].Shape
	rank := in.Rank()
	step, pads := orOnes(a.Strides, rank), orNoPads(a.Pads, rank)
	xs := strides(in.Dims)
	return func(w *worker, out unsafe.Pointer, p []unsafe.Pointer, rows int) {
		inDims, srcDims := in.Dims, src.Dims
		if poolKeepsRows(n) {
			inDims, srcDims = w.dims(0, in, rows), w.dims(1, src, rows)
		}
		x, o := slice[T](p[0], Shape{in.Type, inDims}.Size()), slice[T](out, Shape{in.Type, inDims}.Size())
		s := slice[T](p[1], Shape{src.Type, srcDims}.Size())
		clear(o)
		pos, off := make([]int, rank), make([]int, rank)
		for i := range s {
			best := -1
			for {
				at, inside := 0, true
				for d := range rank {
					c := pos[d]*step[d] + off[d] - pads[d][0]
					if c < 0 || c >= inDims[d] {
						inside = false
						break
					}
					at += c * xs[d]
				}
				if inside && (best < 0 || !a.Min && x[at] > x[best] || a.Min && x[at] < x[best]) {
					best = at
				}
				if count(off, a.Window) {
					break
				}
			}
			if best >= 0 {
				o[best] += s[i]
			}
			count(pos, srcDims)
		}
	}
}

// indexed walks the elements of a gather's output or a scatter's updates: at(i) receives the
// element's place among them and in the operand.
func indexed(attr *GatherAttr, operand, indices Shape, outDims []int, indexData unsafe.Pointer, clamp bool, at func(i, operandAt int)) {
	os, is := strides(operand.Dims), strides(indices.Dims)
	var batchAxes []int // output axes that run over the indices
	for i := range outDims {
		if !slices.Contains(attr.OffsetAxes, i) {
			batchAxes = append(batchAxes, i)
		}
	}
	var indexAxes []int
	for i := range indices.Dims {
		if i != attr.IndexVectorAxis {
			indexAxes = append(indexAxes, i)
		}
	}
	var windowAxes []int // operand axes that the offset axes run over
	for i := range operand.Dims {
		if !slices.Contains(attr.Collapsed, i) {
			windowAxes = append(windowAxes, i)
		}
	}
	total := 1
	for _, d := range outDims {
		total *= d
	}
	idx := make([]int, len(outDims))
	pos := make([]int, operand.Rank())
	for i := range total {
		base := 0
		for k, a := range batchAxes {
			base += idx[a] * is[indexAxes[k]]
		}
		clear(pos)
		for k, a := range attr.IndexMap {
			off := base
			if attr.IndexVectorAxis < indices.Rank() {
				off += k * is[attr.IndexVectorAxis]
			}
			v := readInt(indices.Type, indexData, off)
			if clamp {
				v = max(0, min(v, operand.Dims[a]-attr.SliceSizes[a]))
			}
			pos[a] = v
		}
		for k, a := range windowAxes {
			pos[a] += idx[attr.OffsetAxes[k]]
		}
		o, inside := 0, true
		for a, v := range pos {
			if v < 0 || v >= operand.Dims[a] {
				inside = false
				break
			}
			o += v * os[a]
		}
		if inside {
			at(i, o)
		}
		count(idx, outDims)
	}
}

func gatherFn(n *Node) fn {
	a := n.Attr.(*GatherAttr)
	size := n.Shape.Type.Size()
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, _ int) {
		indexed(a, n.In[0].Shape, n.In[1].Shape, n.Shape.Dims, in[1], true, func(i, o int) {
			copy(slice[byte](unsafe.Add(out, i*size), size), slice[byte](unsafe.Add(in[0], o*size), size))
		})
	}
}

func scatterFn(n *Node) (fn, bool) {
	switch n.Shape.Type {
	case Float32:
		return scatterOf[float32](n)
	case Float64:
		return scatterOf[float64](n)
	case Int32:
		return scatterOf[int32](n)
	case Int64:
		return scatterOf[int64](n)
	case Uint8:
		return scatterOf[uint8](n)
	case Uint32:
		return scatterOf[uint32](n)
	case Uint64:
		return scatterOf[uint64](n)
	}
	return nil, false
}

func scatterOf[T number](n *Node) (fn, bool) {
	a := n.Attr.(*GatherAttr)
	_, f, ok := combiner[T](a.Combine)
	if !ok {
		return nil, false
	}
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, _ int) {
		copy(slice[byte](out, n.Shape.Bytes()), slice[byte](in[0], n.Shape.Bytes()))
		o, up := slice[T](out, n.Shape.Size()), slice[T](in[2], n.In[2].Shape.Size())
		indexed(a, n.Shape, n.In[1].Shape, n.In[2].Shape.Dims, in[1], false, func(i, at int) { o[at] = f(o[at], up[i]) })
	}, true
}

// randomBitsFn expands a [3]uint64 state into random bytes with SplitMix64 over a counter; the
// node's output is the new state followed by the values, which views cut apart.
func randomBitsFn(n *Node) fn {
	bytes := n.Shape.Bytes() - 24
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, _ int) {
		state, next := slice[uint64](in[0], 3), slice[uint64](out, 3)
		words := (bytes + 7) / 8
		dst := slice[byte](unsafe.Add(out, 24), bytes)
		key := mix(state[0] ^ mix(state[1]))
		for i := range words {
			v := mix(key + (state[2]+uint64(i))*0x9E3779B97F4A7C15)
			for b := 0; b < 8 && i*8+b < bytes; b++ {
				dst[i*8+b] = byte(v >> (8 * b))
			}
		}
		next[0], next[1], next[2] = state[0], state[1], state[2]+uint64(words)
	}
}

func mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func copyFn(n *Node) fn {
	bytes := n.Shape.rowSize() * n.Shape.Type.Size()
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		copy(slice[byte](out, rows*bytes), slice[byte](in[0], rows*bytes))
	}
}
