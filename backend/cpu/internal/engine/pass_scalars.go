package engine

// scalarOperands takes broadcasts of a single element out of element-wise operations, which read
// such an operand once instead.
func scalarOperands(_ *Graph, n *Node, _ map[*Node]int, _ emitter) *Node {
	binary := n.Op >= OpAdd && n.Op <= OpGreaterEqual
	if !binary && n.Op != OpWhere {
		return n
	}
	for i, in := range n.In {
		if n.Op == OpWhere && i == 0 {
			continue
		}
		other := false // another operand must keep the full size
		for j, o := range n.In {
			if j != i && o.Shape.Size() == n.Shape.Size() {
				other = true
			}
		}
		if in.Op == OpBroadcast && other && in.In[0].Shape.Size() == 1 {
			n.In[i] = in.In[0]
		}
	}
	return n
}
