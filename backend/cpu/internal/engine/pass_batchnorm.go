package engine

// foldBatchNorm joins batch norm's affine map with the ReLU that follows it, the ReLU gradient that
// recomputes it, and the sum that a residual branch adds to its gradient.
func foldBatchNorm(_ *Graph, n *Node, uses map[*Node]int, emit emitter) *Node {
	switch n.Op {
	case OpRelu:
		if x := n.In[0]; x.Op == OpAffine {
			return emit(OpAffineRelu, n.Shape, nil, x.In...)
		}
	case OpReluGrad:
		if x := n.In[1]; x.Op == OpAffine {
			return emit(OpAffineMask, n.Shape, nil, n.In[0], x.In[0], x.In[1])
		}
	case OpAdd:
		for i := range 2 {
			x, r := n.In[i], n.In[1-i]
			if x.Op == OpAffine2 && uses[x] == 1 && r.Shape.Equal(n.Shape) {
				return emit(OpAffine2Add, n.Shape, nil, x.In[0], x.In[1], x.In[2], r)
			}
		}
	}
	return n
}
