package engine

import "slices"

// flatRow is the length of the rows that large weights are cut into.
const flatRow = 1024

// flattenWeights gives element-wise operations on whole weights, [3,3,512,512] say, many short rows
// instead of three long ones. An optimiser's update of a weight then is one loop, shared evenly, in
// which each piece goes through all its operations while it is in the cache.
func flattenWeights(_ *Graph, n *Node, _ map[*Node]int, emit emitter) *Node {
	binary := n.Op >= OpAdd && n.Op <= OpGreaterEqual
	unary := n.Op >= OpAbs && n.Op <= OpConvert
	size := n.Shape.Size()
	if !binary && !unary || n.Shape.Rank() < 2 || n.Shape.Dims[0] >= 8 || size%flatRow != 0 || size < 8*flatRow {
		return n
	}
	for _, in := range n.In {
		if b, _ := base(in); in.Shape.Size() != 1 && !isWeight(b) {
			return n
		}
	}
	in := slices.Clone(n.In)
	for i, x := range in {
		if x.Shape.Size() == size {
			in[i] = emit(OpView, Shape{x.Shape.Type, []int{size / flatRow, flatRow}}, 0, x)
		}
	}
	flat := emit(n.Op, Shape{n.Shape.Type, []int{size / flatRow, flatRow}}, n.Attr, in...)
	return emit(OpView, n.Shape, 0, flat)
}

// isWeight tells nodes that are made whole, and what this pass made of them, from those that come
// image by image.
func isWeight(n *Node) bool {
	flat := n.Shape.Rank() == 2 && n.Shape.Dims[1] == flatRow
	return n.Op == OpParam || n.Op == OpConst || n.Op == OpWeightGrad || flat
}
