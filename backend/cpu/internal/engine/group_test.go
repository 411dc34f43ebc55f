package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestGroupsKeepSums: a convolution of large weights takes several chunks at a time; the statistics of what it makes
// stay, bit for bit, those of a graph that reads the same images.
func TestGroupsKeepSums(t *testing.T) {
	const n, c = 100, 192
	r := rand.New(rand.NewPCG(19, 20))
	images, stats := Make(Float32, n, 4, 4, c), Make(Float32, 2, c)
	x, k := randomFloats(r, n*16*c), randomFloats(r, 9*c*c)
	convolved := func(g *Graph) *Node {
		a := &ConvAttr{InChannel: 3, InSpatial: []int{1, 2}, KernelIn: 2, KernelOut: 3, KernelSpatial: []int{0, 1}, OutChannel: 3, OutSpatial: []int{1, 2}, Pads: [][2]int{{1, 1}, {1, 1}}}
		return g.Add(OpConv, images, a, g.Param("x", images), g.Param("k", Make(Float32, 3, 3, c, c)))
	}
	statistics := func(g *Graph, y *Node) *Node {
		return g.Add(OpBatchNormStats, stats, 3, g.Add(OpRelu, images, nil, y))
	}
	g := NewGraph()
	y := runGraph(t, g, convolved(g), x, k)
	g = NewGraph()
	want := runGraph(t, g, statistics(g, g.Param("y", images)), y)
	g = NewGraph()
	p, err := g.Compile([]*Node{statistics(g, convolved(g))})
	if err != nil {
		t.Fatal(err)
	}
	grouped := slices.ContainsFunc(p.levels, func(l *level) bool {
		return slices.ContainsFunc(l.stages, func(s *stage) bool { return s.group > 1 && s.chunks > 1 && s.chunks%s.group != 0 })
	})
	if !grouped {
		t.Error("no loop takes several chunks at a time and leaves some to the last")
	}
	g = NewGraph()
	got := runGraph(t, g, statistics(g, convolved(g)), x, k)
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("element %d of the statistics is %g, of the same images %g", i, got[i], want[i])
		}
	}
}
