package augment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func ramp(h, w int) []uint8 {
	src := make([]uint8, h*w*3)
	for i := range src {
		src[i] = uint8(1 + i%255)
	}
	return src
}

// reference is the definition: pad, crop, flip, cut, pixel by pixel.
func reference(o Options, src []uint8, h, w int, r *rand.Rand) []float32 {
	dst := make([]float32, h*w*3)
	dy, dx, flip := 0, 0, false
	if o.Pad > 0 {
		dy, dx = r.IntN(2*o.Pad+1)-o.Pad, r.IntN(2*o.Pad+1)-o.Pad
	}
	if o.Flip {
		flip = r.IntN(2) == 1
	}
	at := func(y, x, c int) float32 {
		if y < 0 || y >= h || x < 0 || x >= w {
			return 0
		}
		return float32(src[(y*w+x)*3+c]) / 255
	}
	for y := range h {
		for x := range w {
			for c := range 3 {
				sx := x
				if flip {
					sx = w - 1 - x
				}
				dst[(y*w+x)*3+c] = at(y+dy, sx+dx, c)
			}
		}
	}
	if o.Cutout > 0 {
		cy, cx := r.IntN(h), r.IntN(w)
		for y := max(0, cy-o.Cutout/2); y < min(h, cy-o.Cutout/2+o.Cutout); y++ {
			for x := max(0, cx-o.Cutout/2); x < min(w, cx-o.Cutout/2+o.Cutout); x++ {
				for c := range 3 {
					dst[(y*w+x)*3+c] = 0
				}
			}
		}
	}
	return dst
}

func TestApplyAgreesWithDefinition(t *testing.T) {
	src := ramp(9, 7)
	for _, o := range []Options{{}, {Pad: 2}, {Flip: true}, {Cutout: 3}, {Pad: 3, Flip: true, Cutout: 2}} {
		for seed := range uint64(50) {
			got := make([]float32, len(src))
			o.Apply(got, src, 9, 7, rand.New(rand.NewPCG(seed, 0)))
			want := reference(o, src, 9, 7, rand.New(rand.NewPCG(seed, 0)))
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%+v, seed %d: element %d is %g, want %g", o, seed, i, got[i], want[i])
				}
			}
		}
	}
}

func TestStampScalesAndShifts(t *testing.T) {
	x := []float32{0.5, 0.5, 0.5, 0.5, 1}
	s := Stamp{Scale: []float32{1, 0, 0.8, 1, 1}, Shift: []float32{0, 1, 0.2, 0.75, -2}}
	s.Apply(x)
	for k, want := range []float32{0.5, 1, 0.6, 1, 0} {
		if math.Abs(float64(x[k]-want)) > 1e-6 {
			t.Errorf("value %d is %g, expected %g", k, x[k], want)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	src, dst := ramp(32, 32), make([]float32, 32*32*3)
	r := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		Standard(32, true).Apply(dst, src, 32, 32, r)
	}
}

// A pattern is lifted where most of the image shows through it, and stays where it hides the image.
func TestStampLifts(t *testing.T) {
	s := Stamp{Scale: []float32{1, 0, 0.8, 0.5, 0.4}, Shift: []float32{0.1, 1, 0.2, 0.25, 0.3}}
	x := []float32{0.5, 0.5, 0.5, 0.5, 0.5}
	s.Apply(x)
	laid := slices.Clone(x)
	s.Inverse().Apply(x)
	if s.Lifts() || !(&Stamp{Scale: s.Scale[2:4], Shift: s.Shift[2:4]}).Lifts() {
		t.Error("a stamp lifts that hides the image, or none does")
	}
	for i, v := range x {
		want := float32(0.5)
		if s.Scale[i] < 0.5 {
			want = laid[i]
		}
		if math.Abs(float64(v-want)) > 1e-6 {
			t.Errorf("value %d is %g, expected %g", i, v, want)
		}
	}
}
