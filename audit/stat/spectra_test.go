package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The coefficients are those of the textbook's sums, and keep the sum of squares.
func TestTransformIsTheCosineTransform(t *testing.T) {
	const h, w = 5, 8
	pixels := make([]uint8, h*w*3)
	r := rand.New(rand.NewPCG(1, 2))
	energy := 0.0
	for i := range pixels {
		pixels[i] = uint8(r.IntN(256))
		energy += math.Pow(float64(pixels[i])/255, 2)
	}
	s := &Spectra{images: Pictures{Height: h, Width: w, At: func(int) []uint8 { return pixels }}, h: h, w: w, bh: 1, bw: 1}
	z := s.Transform().Image(0)
	colours := [3][3]float64{{1, 1, 1}, {1, -1, 0}, {1, 1, -2}}
	length := [3]float64{math.Sqrt(3), math.Sqrt2, math.Sqrt(6)}
	scale := func(k, n int) float64 {
		if k == 0 {
			return math.Sqrt(1 / float64(n))
		}
		return math.Sqrt(2 / float64(n))
	}
	for c := range 3 {
		for v := range h {
			for u := range w {
				want := 0.0
				for y := range h {
					for x := range w {
						colour := 0.0
						for k, m := range colours[c] {
							colour += m * float64(pixels[(y*w+x)*3+k]) / 255
						}
						want += colour / length[c] * math.Cos(math.Pi*(float64(y)+0.5)*float64(v)/h) * math.Cos(math.Pi*(float64(x)+0.5)*float64(u)/w)
					}
				}
				want *= scale(v, h) * scale(u, w)
				if got := z[(c*h+v)*w+u]; math.Abs(got-want) > 1e-9 {
					t.Fatalf("coefficient %d,%d of colour %d is %g, expected %g", v, u, c, got, want)
				}
			}
		}
	}
	for _, v := range z {
		energy -= v * v
	}
	if math.Abs(energy) > 1e-9 {
		t.Errorf("the squares differ by %g", energy)
	}
}

func TestParted(t *testing.T) {
	values := []float64{5, 1, 1, 2, 6, 0, 30}
	lower, upper, middle, ok := Parted(values, 2)
	if !ok || lower.N != 5 || lower.Mean != 1.8 || upper != (Kind{2, 18, 12}) || middle != 9.9 {
		t.Errorf("parted into %+v and %+v at %g", lower, upper, middle)
	}
	if _, _, _, ok := Parted(values, 4); ok {
		t.Error("seven values were parted into four and four")
	}
}
