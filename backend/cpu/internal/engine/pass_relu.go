package engine

// recogniseRelu finds max(x, 0) and the gradient that GoMLX derives from it,
// v · sign(sign(x−0)+1): v where x ≥ 0.
func recogniseRelu(g *Graph, n *Node, _ map[*Node]int, emit emitter) *Node {
	if n.Shape.Type != Float32 {
		return n
	}
	isConst := func(m *Node, want float64) bool {
		v, ok := g.constant(m)
		return ok && v == want
	}
	switch n.Op {
	case OpMax:
		for i := range 2 {
			if isConst(n.In[1-i], 0) && n.In[i].Shape.Equal(n.Shape) {
				return emit(OpRelu, n.Shape, nil, n.In[i])
			}
		}
	case OpMul:
		for i := range 2 {
			v, s := n.In[i], n.In[1-i]
			if x, ok := nonNegative(s, isConst); ok && v.Shape.Equal(n.Shape) && x.Shape.Equal(n.Shape) {
				return emit(OpReluGrad, n.Shape, nil, v, x)
			}
		}
	}
	return n
}

// nonNegative matches sign(sign(x−0)+1).
func nonNegative(s *Node, isConst func(*Node, float64) bool) (*Node, bool) {
	if s.Op != OpSign || s.In[0].Op != OpAdd {
		return nil, false
	}
	for i := range 2 {
		inner := s.In[0].In[i]
		if inner.Op == OpSign && isConst(s.In[0].In[1-i], 1) {
			x := inner.In[0]
			if x.Op == OpSub && isConst(x.In[1], 0) {
				x = x.In[0]
			}
			return x, true
		}
	}
	return nil, false
}
