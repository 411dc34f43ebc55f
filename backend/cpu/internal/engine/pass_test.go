package engine

import (
	"math"
	"strings"
	"testing"
	"unsafe"
)

// ops lists the operations of a graph in order, parameters and constants left out.
func ops(g *Graph) string {
	var s []string
	for _, n := range g.nodes {
		if n.Op != OpParam && n.Op != OpConst {
			s = append(s, n.Op.String())
		}
	}
	return strings.Join(s, " ")
}

func scalar(g *Graph, v float32) *Node {
	b := make([]byte, 4)
	*(*float32)(unsafe.Pointer(&b[0])) = v
	return g.Const(Make(Float32), b)
}

// expect runs the passes and compares the operations before and after.
func expect(t *testing.T, g *Graph, out *Node, before, after string) *Node {
	t.Helper()
	if got := ops(g); got != before {
		t.Errorf("before: %s, expected %s", got, before)
	}
	outs := g.rewrite([]*Node{out})
	if got := ops(g); got != after {
		t.Errorf("after: %s, expected %s", got, after)
	}
	return outs[0]
}

func TestPassScalars(t *testing.T) {
	g := NewGraph()
	x := g.Param("x", Make(Float32, 4, 8))
	b := g.Add(OpBroadcast, Make(Float32, 4, 8), BroadcastAttr{}, scalar(g, 3))
	expect(t, g, g.Add(OpMul, x.Shape, nil, x, b), "Broadcast Mul", "Mul")
}

func TestPassKeepsTheOnlyFullOperand(t *testing.T) {
	g := NewGraph()
	b := g.Add(OpBroadcast, Make(Float32, 4, 8), BroadcastAttr{}, scalar(g, 3))
	expect(t, g, g.Add(OpMul, b.Shape, nil, b, b), "Broadcast Mul", "Broadcast Mul")
}

func TestPassRelu(t *testing.T) {
	g := NewGraph()
	x := g.Param("x", Make(Float32, 4, 8))
	v := g.Param("v", Make(Float32, 4, 8))
	zero, one := scalar(g, 0), scalar(g, 1)
	y := g.Add(OpMax, x.Shape, nil, x, zero)
	d := g.Add(OpSub, x.Shape, nil, x, zero)
	s := g.Add(OpSign, x.Shape, nil, g.Add(OpAdd, x.Shape, nil, g.Add(OpSign, x.Shape, nil, d), one))
	grad := g.Add(OpMul, x.Shape, nil, v, s)
	expect(t, g, g.Add(OpAdd, x.Shape, nil, y, grad), "Max Sub Sign Add Sign Mul Add", "Relu ReluGrad Add")
}

func TestPassLinear(t *testing.T) {
	g := NewGraph()
	x, w := g.Param("x", Make(Float32, 8, 32)), g.Param("w", Make(Float32, 32, 16))
	expect(t, g, g.Add(OpDot, Make(Float32, 8, 16), &DotAttr{LContract: []int{1}, RContract: []int{0}}, x, w), "Dot", "View View ImageConv")
	g = NewGraph()
	x, w = g.Param("x", Make(Float32, 8, 5, 32)), g.Param("w", Make(Float32, 32, 16))
	expect(t, g, g.Add(OpDot, Make(Float32, 8, 5, 16), &DotAttr{LContract: []int{2}, RContract: []int{0}}, x, w), "Dot", "View View View ImageConv View")
	g = NewGraph()
	x, v := g.Param("x", Make(Float32, 8, 32)), g.Param("v", Make(Float32, 8, 16))
	expect(t, g, g.Add(OpDot, Make(Float32, 32, 16), &DotAttr{LContract: []int{0}, RContract: []int{0}}, x, v), "Dot", "WeightGrad")
}

// useWinograd sets for a test whether convolutions take that way.
func useWinograd(t *testing.T, on bool) {
	t.Helper()
	before := winograd
	winograd = on
	t.Cleanup(func() { winograd = before })
}

func TestPassConv(t *testing.T) {
	useWinograd(t, false)
	pads := [][2]int{{1, 1}, {1, 1}}
	g := NewGraph()
	x, k := g.Param("x", Make(Float32, 2, 8, 8, 16)), g.Param("k", Make(Float32, 3, 3, 16, 32))
	attr := &ConvAttr{InChannel: 3, InSpatial: []int{1, 2}, KernelIn: 2, KernelOut: 3, KernelSpatial: []int{0, 1}, OutChannel: 3, OutSpatial: []int{1, 2}, Pads: pads}
	expect(t, g, g.Add(OpConv, Make(Float32, 2, 8, 8, 32), attr, x, k), "Conv", "View ImageConv")

	// The input's gradient: over the reversed kernel, channel axes swapped.
	g = NewGraph()
	v, k := g.Param("v", Make(Float32, 2, 8, 8, 32)), g.Param("k", Make(Float32, 3, 3, 16, 32))
	r := g.Add(OpReverse, k.Shape, []int{0, 1}, k)
	back := *attr
	back.KernelIn, back.KernelOut = 3, 2
	expect(t, g, g.Add(OpConv, Make(Float32, 2, 8, 8, 16), &back, v, r), "Reverse Conv", "Pack ImageConv")

	// The kernel's gradient: batch and channel axes swapped, the output's gradient as its kernel.
	g = NewGraph()
	x, v = g.Param("x", Make(Float32, 2, 8, 8, 16)), g.Param("v", Make(Float32, 2, 8, 8, 32))
	grad := &ConvAttr{InBatch: 3, InSpatial: []int{1, 2}, KernelOut: 3, KernelSpatial: []int{1, 2}, OutBatch: 2, OutChannel: 3, OutSpatial: []int{0, 1}, Pads: pads}
	expect(t, g, g.Add(OpConv, Make(Float32, 3, 3, 16, 32), grad, x, v), "Conv", "WeightGrad")

	// Even images of many channels go through Winograd's positions, those of odd sides do not.
	useWinograd(t, true)
	g = NewGraph()
	x, k = g.Param("x", Make(Float32, 2, 8, 8, 16)), g.Param("k", Make(Float32, 3, 3, 16, 32))
	expect(t, g, g.Add(OpConv, Make(Float32, 2, 8, 8, 32), attr, x, k), "Conv", "View Transform ImageConv")
	g = NewGraph()
	x, k = g.Param("x", Make(Float32, 2, 7, 8, 16)), g.Param("k", Make(Float32, 3, 3, 16, 32))
	expect(t, g, g.Add(OpConv, Make(Float32, 2, 7, 8, 32), attr, x, k), "Conv", "View ImageConv")

	// Groups stay general.
	g = NewGraph()
	x, k = g.Param("x", Make(Float32, 2, 8, 8, 16)), g.Param("k", Make(Float32, 3, 3, 8, 32))
	grouped := *attr
	grouped.ChannelGroups = 2
	expect(t, g, g.Add(OpConv, Make(Float32, 2, 8, 8, 32), &grouped, x, k), "Conv", "Conv")
}

func TestPassBatchNorm(t *testing.T) {
	g := NewGraph()
	s := Make(Float32, 4, 16)
	x, v, r := g.Param("x", s), g.Param("v", s), g.Param("r", s)
	c2, c3 := g.Param("c2", Make(Float32, 2, 16)), g.Param("c3", Make(Float32, 3, 16))
	y := g.Add(OpAffine, s, nil, x, c2)
	relu := g.Add(OpRelu, s, nil, y)
	mask := g.Add(OpReluGrad, s, nil, v, y)
	dx := g.Add(OpAdd, s, nil, g.Add(OpAffine2, s, nil, mask, x, c3), r)
	expect(t, g, g.Add(OpAdd, s, nil, relu, dx), "Affine Relu ReluGrad Affine2 Add Add", "AffineRelu AffineMask Affine2Add Add")
}

func TestDeadCodeGoes(t *testing.T) {
	g := NewGraph()
	x := g.Param("x", Make(Float32, 4))
	g.Add(OpExp, x.Shape, nil, x)
	expect(t, g, g.Add(OpNeg, x.Shape, nil, x), "Exp Neg", "Neg")
}

// TestRecomputedNotStored: a cheap map that a later level reads is computed again there.
func TestRecomputedNotStored(t *testing.T) {
	g := NewGraph()
	s := Make(Float32, 32, 64)
	x, coef := g.Param("x", s), g.Param("coef", Make(Float32, 2, 64))
	y := g.Add(OpAffineRelu, s, nil, x, coef)
	stats := g.Add(OpBatchNormStats, Make(Float32, 2, 64), nil, y)
	z := g.Add(OpAffine, s, nil, y, stats) // reads y one level later
	if _, err := g.schedule(); err != nil {
		t.Fatal(err)
	}
	if c := z.In[0]; c == y || c.Op != OpAffineRelu || c.level != z.level {
		t.Errorf("%s reads %s", z, c)
	}
}

// TestIntervalsDoNotOverlap checks the planner on random lifetimes.
func TestIntervalsDoNotOverlap(t *testing.T) {
	var items []*interval
	for i := range 200 {
		from := i * 31 % 50
		items = append(items, &interval{from: from, to: from + i*7%11, bytes: 1 + i*97%5000})
	}
	total := packIntervals(items)
	sum := 0
	for i, a := range items {
		sum += a.bytes
		if a.offset+a.bytes > total || a.offset%align != 0 {
			t.Errorf("interval %d at %d of %d bytes", i, a.offset, total)
		}
		for _, b := range items[:i] {
			if a.from <= b.to && b.from <= a.to && a.offset < b.offset+b.bytes && b.offset < a.offset+a.bytes {
				t.Fatalf("two intervals share memory at the same time: %+v, %+v", a, b)
			}
		}
	}
	if total >= sum {
		t.Errorf("nothing is reused: %d of %d bytes", total, sum)
	}
}

// TestExplain: the table names nodes, FLOP and memory; of multiplications Winograd's way does 36 of 144.
func TestExplain(t *testing.T) {
	g := NewGraph()
	x, k := g.Param("x", Make(Float32, 4, 8, 8, 16)), g.Param("k", Make(Float32, 3, 3, 16, 16))
	attr := &ConvAttr{InChannel: 3, InSpatial: []int{1, 2}, KernelIn: 2, KernelOut: 3, KernelSpatial: []int{0, 1}, OutChannel: 3, OutSpatial: []int{1, 2}, Pads: [][2]int{{1, 1}, {1, 1}}}
	p, err := g.Compile([]*Node{g.Add(OpConv, Make(Float32, 4, 8, 8, 16), attr, x, k)})
	if err != nil {
		t.Fatal(err)
	}
	in, w, out := make([]float32, 4*8*8*16), make([]float32, 9*16*16), make([]float32, 4*8*8*16)
	for i := range in {
		in[i] = float32(math.Sin(float64(i)))
	}
	text, err := p.Explain([]unsafe.Pointer{unsafe.Pointer(&in[0]), unsafe.Pointer(&w[0])}, []unsafe.Pointer{unsafe.Pointer(&out[0])}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ImageConv", "float32[4,8,8,16]", "1.2", "loop over 4 rows", "peak"} { // 2·4·64·9·16·16 FLOP
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	want := 2.0 * 4 * 64 * 9 * 16 * 16
	if winograd {
		want *= 36.0 / 144
	}
	if got := p.Arithmetic(); got != want {
		t.Errorf("a run multiplies and adds %g times, expected %g", got, want)
	}
}

func TestPassFlattenWeights(t *testing.T) {
	g := NewGraph()
	p, m := g.Param("p", Make(Float32, 3, 3, 64, 64)), g.Param("m", Make(Float32, 3, 3, 64, 64))
	sum := g.Add(OpAdd, p.Shape, nil, g.Add(OpMul, p.Shape, nil, m, scalar(g, 0.9)), p)
	out := expect(t, g, sum, "Mul Add", "View Mul View View View Add View")
	if b, _ := base(out); b.Shape.Dims[0] != 36 || !out.Shape.Equal(p.Shape) {
		t.Errorf("the sum is %s in rows of %s", out.Shape, b.Shape)
	}
	// Images stay images: their loops are shared with the convolutions.
	useWinograd(t, false)
	g = NewGraph()
	x := g.Param("x", Make(Float32, 4, 32, 32, 16))
	k := g.Param("k", Make(Float32, 3, 3, 16, 16))
	attr := &ConvAttr{InChannel: 3, InSpatial: []int{1, 2}, KernelIn: 2, KernelOut: 3, KernelSpatial: []int{0, 1}, OutChannel: 3, OutSpatial: []int{1, 2}, Pads: [][2]int{{1, 1}, {1, 1}}}
	expect(t, g, g.Add(OpAbs, x.Shape, nil, g.Add(OpConv, x.Shape, attr, x, k)), "Conv Abs", "View ImageConv Abs")
}
