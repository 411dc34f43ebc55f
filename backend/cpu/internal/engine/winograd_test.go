package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// run compiles and runs a graph of float32 parameters with one output.
func runGraph(t *testing.T, g *Graph, out *Node, params ...[]float32) []float32 {
	t.Helper()
	size := out.Shape.Size()
	p, err := g.Compile([]*Node{out})
	if err != nil {
		t.Fatal(err)
	}
	var in []unsafe.Pointer
	for _, f := range params {
		in = append(in, unsafe.Pointer(&f[0]))
	}
	y := make([]float32, size)
	if err := p.Run(in, []unsafe.Pointer{unsafe.Pointer(&y[0])}); err != nil {
		t.Fatal(err)
	}
	return y
}

func randomFloats(r *rand.Rand, n int) []float32 {
	f := make([]float32, n)
	for i := range f {
		f[i] = float32(r.NormFloat64())
	}
	return f
}

// Winograd's way computes what the direct one does, forwards, for the input's gradient (over reversed kernels with
// swapped channels) and for the weights' gradient, for any number of images, channels and margins.
func TestWinogradAgreesWithDirect(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	wide := 0
	for range 60 {
		n, c, o := 1+r.IntN(5), 16*(1+r.IntN(4)), 16*(1+r.IntN(4))
		pad := r.IntN(3)
		oh, ow := 2*(1+r.IntN(9)), 2*(1+r.IntN(9))
		h, w := oh+2-2*pad, ow+2-2*pad
		if h < 1 || w < 1 {
			continue
		}
		pads := [][2]int{{pad, pad}, {pad, pad}}
		x, k, v := randomFloats(r, n*h*w*c), randomFloats(r, 9*c*o), randomFloats(r, n*oh*ow*o)
		forward := func() []float32 {
			g := NewGraph()
			a := &ConvAttr{InChannel: 3, InSpatial: []int{1, 2}, KernelIn: 2, KernelOut: 3, KernelSpatial: []int{0, 1}, OutChannel: 3, OutSpatial: []int{1, 2}, Pads: pads}
			return runGraph(t, g, g.Add(OpConv, Make(Float32, n, oh, ow, o), a, g.Param("x", Make(Float32, n, h, w, c)), g.Param("k", Make(Float32, 3, 3, c, o))), x, k)
		}
		input := func() []float32 { // images of o channels over the kernel [3,3,c,o] backwards
			g := NewGraph()
			a := &ConvAttr{InChannel: 3, InSpatial: []int{1, 2}, KernelIn: 3, KernelOut: 2, KernelSpatial: []int{0, 1}, OutChannel: 3, OutSpatial: []int{1, 2}, Pads: [][2]int{{1, 1}, {1, 1}}}
			y := g.Param("v", Make(Float32, n, oh, ow, o))
			kernel := g.Param("k", Make(Float32, 3, 3, c, o))
			return runGraph(t, g, g.Add(OpConv, Make(Float32, n, oh, ow, c), a, y, g.Add(OpReverse, kernel.Shape, []int{0, 1}, kernel)), v, k)
		}
		weights := func() []float32 {
			g := NewGraph()
			a := &ConvAttr{InBatch: 3, InSpatial: []int{1, 2}, KernelOut: 3, KernelSpatial: []int{1, 2}, OutBatch: 2, OutChannel: 3, OutSpatial: []int{0, 1}, Pads: pads}
			return runGraph(t, g, g.Add(OpConv, Make(Float32, 3, 3, c, o), a, g.Param("x", Make(Float32, n, h, w, c)), g.Param("v", Make(Float32, n, oh, ow, o))), x, v)
		}
		for name, f := range map[string]func() []float32{"forward": forward, "input": input, "weights": weights} {
			useWinograd(t, false)
			want := f()
			useWinograd(t, true)
			got := f()
			norm := 0.0
			for _, v := range want {
				norm += float64(v) * float64(v)
			}
			norm = math.Sqrt(norm / float64(len(want)))
			tolerance := 2e-5 * norm
			if name == "forward" && oh%4 == 0 && ow%4 == 0 {
				wide, tolerance = wide+1, 4e-5*norm
			}
			for i := range want {
				if d := math.Abs(float64(got[i] - want[i])); d > tolerance {
					t.Fatalf("%s: element %d is %g, directly %g, of a size of %g", fmt.Sprint(name, " ", n, " images ", h, "×", w, "×", c, " → ", oh, "×", ow, "×", o), i, got[i], want[i], norm)
				}
			}
		}
	}
	if wide < 5 {
		t.Errorf("%d of the convolutions took tiles of 4×4, expected more", wide)
	}
}

// TestTrainingKeepsSmallTiles: beside a gradient a convolution has tiles of 2×2, alone of 4×4 where they fit.
func TestTrainingKeepsSmallTiles(t *testing.T) {
	useWinograd(t, true)
	side := func(height int, gradient bool) int {
		g := NewGraph()
		x, k, y := g.Param("x", Make(Float32, 2, height, 8, 16)), g.Param("k", Make(Float32, 3, 3, 16, 16)), Make(Float32, 2, height, 8, 16)
		pads := [][2]int{{1, 1}, {1, 1}}
		conv := g.Add(OpConv, y, &ConvAttr{InChannel: 3, InSpatial: []int{1, 2}, KernelIn: 2, KernelOut: 3, KernelSpatial: []int{0, 1}, OutChannel: 3, OutSpatial: []int{1, 2}, Pads: pads}, x, k)
		outputs := []*Node{conv}
		if gradient {
			a := &ConvAttr{InBatch: 3, InSpatial: []int{1, 2}, KernelOut: 3, KernelSpatial: []int{1, 2}, OutBatch: 2, OutChannel: 3, OutSpatial: []int{0, 1}, Pads: pads}
			outputs = append(outputs, g.Add(OpConv, k.Shape, a, x, conv))
		}
		return g.rewrite(outputs)[0].Attr.(*convPlan).wino
	}
	for _, c := range []struct {
		height   int
		gradient bool
		want     int
	}{{8, false, 4}, {8, true, 2}, {6, false, 2}, {7, false, 0}} {
		if got := side(c.height, c.gradient); got != c.want {
			t.Errorf("%d rows, gradient %t: tiles of side %d, expected %d", c.height, c.gradient, got, c.want)
		}
	}
}
