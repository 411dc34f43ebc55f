package engine

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestPixelSums: the sum over the pixels of each image is that of the pixels one after the other, bit for bit.
func TestPixelSums(t *testing.T) {
	const n, h, w = 5, 3, 7
	r := rand.New(rand.NewPCG(21, 22))
	for _, c := range []int{10, 64, 192} {
		images := Make(Float32, n, h, w, c)
		x := randomFloats(r, images.Size())
		g := NewGraph()
		sum := g.Add(OpReduceSum, Make(Float32, n, c), []int{1, 2}, g.Param("x", images))
		if by := sumsPixels(sum); by != (c%64 == 0) {
			t.Errorf("%d channels: by a kernel: %t", c, by)
		}
		got := runGraph(t, g, sum, x)
		for i := range got {
			var want float32
			for k := range h * w {
				want += x[(i/c*h*w+k)*c+i%c]
			}
			if math.Float32bits(got[i]) != math.Float32bits(want) {
				t.Fatalf("%d channels: sum %d is %g, expected %g", c, i, got[i], want)
			}
		}
	}
	g := NewGraph() // the pixels of a row alone are not all of an image's
	if sumsPixels(g.Add(OpReduceSum, Make(Float32, n, h, 64), []int{2}, g.Param("x", Make(Float32, n, h, w, 64)))) {
		t.Error("a sum over some of the pixels goes by the kernel for all")
	}
}
