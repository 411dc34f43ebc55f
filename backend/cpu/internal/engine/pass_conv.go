package engine

import "slices"

// recogniseConv turns general convolutions of float32 images into the direct kernels. GoMLX writes
// gradients as convolutions too: the one for the input runs over the reversed kernel with swapped
// channel axes and dilates its input by the stride; the one for the kernel swaps batch and channel
// axes and takes the output's gradient as its kernel.
func recogniseConv(g *Graph, n *Node, _ map[*Node]int, emit emitter) *Node {
	if n.Op != OpConv || n.Shape.Type != Float32 {
		return n
	}
	a := n.Attr.(*ConvAttr)
	if a.ChannelGroups > 1 || a.BatchGroups > 1 || len(a.InSpatial) == 0 || len(a.InSpatial) > 2 {
		return n
	}
	x, k := n.In[0], n.In[1]
	if x.Shape.Size() == 0 || k.Shape.Size() == 0 || n.Shape.Size() == 0 {
		return n
	}
	rank := len(a.InSpatial)
	step, inDil, kerDil, pads := orOnes(a.Strides, rank), orOnes(a.InDilation, rank), orOnes(a.KerDilation, rank), orNoPads(a.Pads, rank)
	if isWeightGrad(a, rank) && !slices.ContainsFunc(inDil, func(d int) bool { return d > 1 }) {
		in, out, kernelDims := spatial(x.Shape.Dims, a.InSpatial), spatial(k.Shape.Dims, a.KernelSpatial), spatial(n.Shape.Dims, a.OutSpatial)
		p := newConvPlan([3]int{in[0], in[1], x.Shape.Dims[a.InBatch]}, [3]int{out[0], out[1], k.Shape.Dims[a.KernelOut]},
			kernelDims[0], kernelDims[1], two(kerDil), [2]int{1, 1}, two(step), padStart(pads), true)
		return emit(OpWeightGrad, n.Shape, p, x, k)
	}
	for i := range rank {
		if step[i] > 1 && inDil[i] > 1 {
			return n
		}
	}
	reverse := a.ReverseKernel
	if k.Op == OpReverse && sameSet(k.Attr.([]int), a.KernelSpatial) {
		reverse, k = !reverse, k.In[0]
	}
	x = toAxes(emit, x, slices.Concat([]int{a.InBatch}, a.InSpatial, []int{a.InChannel}))
	in := spatial(x.Shape.Dims, iota1(rank))
	out := spatial(n.Shape.Dims, a.OutSpatial)
	kd := spatial(k.Shape.Dims, a.KernelSpatial)
	cin, cout := k.Shape.Dims[a.KernelIn], k.Shape.Dims[a.KernelOut]
	p := newConvPlan([3]int{in[0], in[1], cin}, [3]int{out[0], out[1], cout}, kd[0], kd[1], two(step), two(inDil), two(kerDil), padStart(pads), false)
	packed := pack(emit, k, a, p, reverse)
	if g.forward {
		p.widenTiles()
	}
	if p.wino > 0 {
		packed = emit(OpTransform, Make(Float32, p.positions(), p.c, p.op), p.wino, packed)
	}
	batch := x.Shape.Dims[0]
	canonical := slices.Concat([]int{batch}, pick(n.Shape.Dims, a.OutSpatial), []int{cout})
	y := emit(OpImageConv, Make(Float32, canonical...), p, x, packed)
	// Back to the axis order that the graph expects.
	order := slices.Concat([]int{a.OutBatch}, a.OutSpatial, []int{a.OutChannel})
	perm := make([]int, len(order))
	for i, o := range order {
		perm[o] = i
	}
	return toAxes(emit, y, perm)
}

func iota1(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i + 1
	}
	return s
}

// two makes a per-axis list two-dimensional; a missing first axis counts as 1.
func two(v []int) [2]int {
	if len(v) == 1 {
		return [2]int{1, v[0]}
	}
	return [2]int{v[0], v[1]}
}

func spatial(dims, axes []int) [2]int { return two(pick(dims, axes)) }

func padStart(p [][2]int) [2]int {
	if len(p) == 1 {
		return [2]int{0, p[0][0]}
	}
	return [2]int{p[0][0], p[1][0]}
}

func sameSet(a, b []int) bool {
	x, y := slices.Clone(a), slices.Clone(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// isWeightGrad matches x and v in [N,spatial…,C] order and a result in [spatial…,C,O] order.
func isWeightGrad(a *ConvAttr, rank int) bool {
	s, last := iota1(rank), rank+1
	out := make([]int, rank)
	for i := range out {
		out[i] = i
	}
	return a.InBatch == last && a.InChannel == 0 && slices.Equal(a.InSpatial, s) &&
		a.KernelIn == 0 && a.KernelOut == last && slices.Equal(a.KernelSpatial, s) &&
		a.OutBatch == rank && a.OutChannel == last && slices.Equal(a.OutSpatial, out) && !a.ReverseKernel
}

// isConvGradient tells a convolution that is a gradient: for the weights, or for the input over reversed kernels.
func isConvGradient(n *Node) bool {
	if n.Op != OpConv {
		return false
	}
	a := n.Attr.(*ConvAttr)
	return a.ReverseKernel || n.In[1].Op == OpReverse || isWeightGrad(a, len(a.InSpatial))
}

// toAxes transposes x unless perm changes nothing.
func toAxes(emit emitter, x *Node, perm []int) *Node {
	if slices.IsSorted(perm) {
		return x
	}
	return emit(OpTranspose, Make(x.Shape.Type, pick(x.Shape.Dims, perm)...), perm, x)
}

// pack brings a kernel into [taps, in, out] order; one that has it already is only viewed.
func pack(emit emitter, k *Node, a *ConvAttr, p *convPlan, reverse bool) *Node {
	st := strides(k.Shape.Dims)
	pa := &packAttr{kh: p.kh, kw: p.kw, in: p.c, out: p.o, sIn: st[a.KernelIn], sOut: st[a.KernelOut], reverse: reverse}
	pa.sx = st[a.KernelSpatial[len(a.KernelSpatial)-1]]
	if len(a.KernelSpatial) == 2 {
		pa.sy = st[a.KernelSpatial[0]]
	}
	shape := Make(Float32, p.kh*p.kw, p.c, p.op)
	natural := p.o == p.op && (!reverse || p.kh*p.kw == 1) && pa.sOut == 1 && (pa.sIn == p.o || p.c == 1) &&
		(p.kw == 1 || pa.sx == p.c*p.o) && (p.kh == 1 || pa.sy == p.kw*p.c*p.o)
	if natural {
		return emit(OpView, shape, 0, k)
	}
	return emit(OpPack, shape, pa, k)
}
