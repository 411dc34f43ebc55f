package engine

import "slices"

// dotToConv sees matrix products as 1×1 convolutions, so that linear layers and their gradients
// run on the same kernels: x·W and v·Wᵀ a row of the batch at a time, xᵀ·v as a weight gradient.
func dotToConv(_ *Graph, n *Node, _ map[*Node]int, emit emitter) *Node {
	if n.Op != OpDot || n.Shape.Type != Float32 || n.Shape.Size() == 0 {
		return n
	}
	a := n.Attr.(*DotAttr)
	l, r := n.In[0], n.In[1]
	last := l.Shape.Rank() - 1
	if len(a.LBatch) > 0 || len(a.LContract) != 1 || last < 1 || r.Shape.Rank() != 2 || l.Shape.Size() == 0 || r.Shape.Size() == 0 {
		return n
	}
	lc, rc := a.LContract[0], a.RContract[0]
	one := [2]int{1, 1}
	if last > 1 && lc == last { // [B,T,K]: a matrix of B·T rows
		k, m := l.Shape.Dims[last], n.Shape.Dims[last]
		rows := l.Shape.Size() / k
		flat := emit(OpView, Make(Float32, rows, k), 0, l)
		attr := &DotAttr{LContract: []int{1}, RContract: a.RContract}
		y := dotToConv(nil, &Node{Op: OpDot, Shape: Make(Float32, rows, m), Attr: attr, In: []*Node{flat, r}}, nil, emit)
		return emit(OpView, n.Shape, 0, y)
	}
	switch {
	case last > 1:
	case lc == 1: // [N,K] times [K,M] or [M,K]
		rows, k, m := l.Shape.Dims[0], l.Shape.Dims[1], r.Shape.Dims[1-rc]
		p := newConvPlan([3]int{1, 1, k}, [3]int{1, 1, m}, 1, 1, one, one, one, [2]int{}, false)
		conv := &ConvAttr{KernelIn: rc + 2, KernelOut: 3 - rc, KernelSpatial: []int{0, 1}}
		w := emit(OpView, Make(Float32, slices.Concat([]int{1, 1}, r.Shape.Dims)...), 0, r)
		return emit(OpImageConv, Make(Float32, rows, m), p, l, pack(emit, w, conv, p, false))
	case lc == 0 && rc == 0: // [N,K]ᵀ times [N,M]
		p := newConvPlan([3]int{1, 1, l.Shape.Dims[1]}, [3]int{1, 1, r.Shape.Dims[1]}, 1, 1, one, one, one, [2]int{}, true)
		return emit(OpWeightGrad, n.Shape, p, l, r)
	}
	return n
}
