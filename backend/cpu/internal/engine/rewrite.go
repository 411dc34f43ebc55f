package engine

import (
	"math"
	"slices"
)

// A pass sees the nodes in order, their inputs already rewritten, and returns what takes a node's
// place: the node itself or another, whose helpers it appends with emit.
type pass func(g *Graph, n *Node, uses map[*Node]int, emit emitter) *Node

type emitter func(op Op, s Shape, attr any, in ...*Node) *Node

// passes in their order. Each lives in a file of its own.
var passes = []pass{scalarOperands, recogniseRelu, dotToConv, recogniseConv, foldBatchNorm, flattenWeights}

func (g *Graph) rewrite(outputs []*Node) []*Node {
	outputs = g.sweep(outputs)
	g.forward = !slices.ContainsFunc(g.nodes, isConvGradient)
	for _, p := range passes {
		outputs = g.apply(p, outputs)
	}
	return outputs
}

func (g *Graph) apply(p pass, outputs []*Node) []*Node {
	uses := map[*Node]int{}
	for _, n := range g.nodes {
		for _, in := range n.In {
			uses[in]++
		}
	}
	for _, o := range outputs {
		uses[o]++
	}
	old := g.nodes
	g.nodes = nil
	to := map[*Node]*Node{}
	emit := func(op Op, s Shape, attr any, in ...*Node) *Node {
		n := g.Add(op, s, attr, in...)
		for _, i := range in {
			uses[i]++
		}
		return n
	}
	for _, n := range old {
		for i, in := range n.In {
			if r := to[in]; r != nil {
				n.In[i] = r
			}
		}
		r := p(g, n, uses, emit)
		if r == n {
			n.ID = len(g.nodes)
			g.nodes = append(g.nodes, n)
			continue
		}
		to[n] = r
		uses[r] += uses[n]
	}
	out := make([]*Node, len(outputs))
	for i, o := range outputs {
		out[i] = o
		if r := to[o]; r != nil {
			out[i] = r
		}
	}
	return g.sweep(out)
}

// sweep removes what no output needs (parameters stay) and joins views of views.
func (g *Graph) sweep(outputs []*Node) []*Node {
	live := map[*Node]bool{}
	for _, o := range outputs {
		live[o] = true
	}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		n := g.nodes[i]
		if n.Op == OpParam {
			live[n] = true
		}
		if live[n] {
			for _, in := range n.In {
				live[in] = true
			}
		}
	}
	kept := g.nodes[:0]
	for _, n := range g.nodes {
		if live[n] {
			n.ID = len(kept)
			kept = append(kept, n)
		}
	}
	g.nodes = kept
	return outputs
}

// constant returns the value of a scalar constant, seen through views and broadcasts.
func (g *Graph) constant(n *Node) (float64, bool) {
	for n.Op == OpView || n.Op == OpBroadcast {
		n = n.In[0]
	}
	if n.Op != OpConst || n.Shape.Size() != 1 {
		return 0, false
	}
	b := g.consts[n]
	switch n.Shape.Type {
	case Float32:
		return float64(*(*float32)(ptrOf(b))), true
	case Float64:
		return *(*float64)(ptrOf(b)), true
	case Int32:
		return float64(*(*int32)(ptrOf(b))), true
	case Int64:
		return float64(*(*int64)(ptrOf(b))), true
	}
	return math.NaN(), false
}

// base follows views to the node whose memory is meant and the offset in bytes.
func base(n *Node) (*Node, int) {
	off := 0
	for n.Op == OpView {
		off += n.Attr.(int) * n.Shape.Type.Size()
		n = n.In[0]
	}
	return n, off
}
