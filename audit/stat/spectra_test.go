package stat

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
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

// Where larger images are averaged down, what is left over at the edges counts as what lies before it.
func TestTransformReachesTheEdges(t *testing.T) {
	const h, w = 255, 130
	pixels := slices.Repeat([]uint8{200}, h*w*3)
	s := parted(Pictures{Height: h, Width: w, At: func(int) []uint8 { return pixels }})
	before := slices.Clone(s.Transform().Image(0))
	for k, z := range before {
		if want := 200.0 / 255 * math.Sqrt(3) * math.Sqrt(float64(s.h*s.w)); k == 0 && math.Abs(z-want) > 1e-9 || k > 0 && math.Abs(z) > 1e-9 {
			t.Fatalf("coefficient %d of an even image is %g", k, z)
		}
	}
	pixels[len(pixels)-1] = 0
	if after := s.Transform().Image(0); slices.Equal(before, after) {
		t.Error("the last pixel is not looked at")
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

// Sums of parts that were made apart from each other are to the bit those of all images, and nearly those of one part.
func TestSumsInParts(t *testing.T) {
	const h, w, n, classes, size = 6, 5, 40, 3, 7
	r := rand.New(rand.NewPCG(3, 4))
	pixels := make([]uint8, n*h*w*3)
	for i := range pixels {
		pixels[i] = uint8(r.IntN(256))
	}
	of := func(lo, hi int) Pictures {
		p := Pictures{Height: h, Width: w, Classes: classes, Part: size, At: func(i int) []uint8 { return pixels[(lo+i)*h*w*3 : (lo+i+1)*h*w*3] }}
		for i := lo; i < hi; i++ {
			p.Labels = append(p.Labels, int32(i*i%classes))
		}
		return p
	}
	ctx := context.Background()
	whole, err := NewSpectra(ctx, of(0, n), 1)
	if err != nil {
		t.Fatal(err)
	}
	apart := of(0, n)
	apart.Sums = func(ctx context.Context, fold []uint8, visit func(part []LabelSums) error) error {
		for lo := 0; lo < n; lo += size {
			hi := min(n, lo+size)
			part, err := PartSums(ctx, of(lo, hi), fold[lo:hi])
			if err != nil {
				return err
			}
			if err := visit(part); err != nil {
				return err
			}
		}
		return nil
	}
	parts, err := NewSpectra(ctx, apart, 1)
	if err != nil {
		t.Fatal(err)
	}
	one := of(0, n)
	one.Part = 0
	single, err := NewSpectra(ctx, one, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(parts.sums, whole.sums) || !reflect.DeepEqual(parts.total, whole.total) || !reflect.DeepEqual(parts.variance, whole.variance) {
		t.Error("sums of parts that were made apart differ")
	}
	few := of(0, n)
	few.Fewest = len(whole.Of[0]) + 1
	some, err := NewSpectra(ctx, few, 1)
	if err != nil {
		t.Fatal(err)
	}
	if some.sums[0][0] != nil || !reflect.DeepEqual(some.total, whole.total) || !reflect.DeepEqual(some.variance, whole.variance) {
		t.Error("labels that nobody asks for are kept, or missing in what all have in common")
	}
	for k, v := range single.variance {
		if math.Abs(v-whole.variance[k]) > 1e-12 {
			t.Fatalf("variance %d is %g in one part, %g in several", k, v, whole.variance[k])
		}
	}
	apart.Sums = func(_ context.Context, _ []uint8, visit func(part []LabelSums) error) error {
		return visit([]LabelSums{newLabelSums(0, h*w)})
	}
	if _, err := NewSpectra(ctx, apart, 1); err == nil {
		t.Error("sums of other images were taken")
	}
}

// Images that can't be read any more end the work where it was begun, not on a goroutine where nobody recovers.
func TestLostImagesEndTheWork(t *testing.T) {
	const lost = "lost"
	p := Pictures{Height: 8, Width: 8, Labels: []int32{0, 1, 0, 1}, Classes: 2, At: func(i int) []uint8 {
		if i == 2 {
			panic(lost)
		}
		return make([]uint8, 8*8*3)
	}}
	defer func() {
		if got := recover(); got != lost {
			t.Errorf("it panics with %v", got)
		}
	}()
	_, err := NewSpectra(t.Context(), p, 1)
	t.Errorf("it ended with %v", err)
}

// An image's coefficients, as they are computed anew in every pass.
func BenchmarkTransform(b *testing.B) {
	for _, side := range []int{32, 64} {
		b.Run(fmt.Sprintf("%d pixels", side), func(b *testing.B) {
			pixels := slices.Repeat([]uint8{1, 200, 30, 90}, side*side*3/4)
			t := parted(Pictures{Height: side, Width: side, At: func(int) []uint8 { return pixels }}).Transform()
			for b.Loop() {
				t.Image(0)
			}
		})
	}
}
