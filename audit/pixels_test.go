package audit

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/train"
)

// spectraOf are those of a set under seed 0.
func spectraOf(t *testing.T, set *dataset.Set) *spectra {
	t.Helper()
	s, err := newSpectra(context.Background(), set, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// byPixels looks at the pixels alone.
func byPixels(t *testing.T, set *dataset.Set) ([]defense.Target, []float32) {
	t.Helper()
	d := &detector{r: &train.Run{Data: set}, o: abl.Default(), a: Default()}
	found := make([]float32, set.Len())
	seen, err := d.pixels(context.Background(), spectraOf(t, set), found)
	if err != nil {
		t.Fatal(err)
	}
	return seen, found
}

// The coefficients are those of the textbook's sums, and keep the sum of squares.
func TestTransformIsTheCosineTransform(t *testing.T) {
	const h, w = 5, 8
	set := &dataset.Set{Height: h, Width: w, Classes: []string{"a"}, Labels: []int32{0}, Pixels: make([]uint8, h*w*3)}
	r := rand.New(rand.NewPCG(1, 2))
	energy := 0.0
	for i := range set.Pixels {
		set.Pixels[i] = uint8(r.IntN(256))
		energy += math.Pow(float64(set.Pixels[i])/255, 2)
	}
	s := &spectra{set: set, h: h, w: w, bh: 1, bw: 1}
	z := s.transform().image(0)
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
							colour += m * float64(set.Pixels[(y*w+x)*3+k]) / 255
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

// Patterns are found to the last image whatever their share, and neither honest images nor copies of one are taken for any.
func TestPixelsFindPatterns(t *testing.T) {
	const target = 4
	clean := signs.Render(1, 1200, 10).Train
	for _, c := range []struct {
		attack      string
		rate, cover float64
	}{{"badnets", 0.02, 0}, {"badnets", 0.5, 0}, {"badnets", 0.1, 0.1}, {"blend", 0.1, 0}, {"blend", 0.02, 0}} {
		config := attack.Defaults(c.attack)
		config.Target, config.Rate, config.Cover = target, c.rate, c.cover
		_, set, poisoned := planted.Poison(t, config, clean)
		seen, found := byPixels(t, set)
		if len(seen) != 1 || seen[0].Says != defense.Poisoned || seen[0].Index != target || seen[0].By != defense.ByPixels {
			t.Errorf("%+v: %+v", c, seen)
		}
		for i, p := range found {
			if poisoned[i] != (p > flagged) {
				t.Errorf("%+v: image %d has a probability of %g, poisoned is %v", c, i, p, poisoned[i])
			}
		}
	}

	copied := &dataset.Set{Height: clean.Height, Width: clean.Width, Classes: clean.Classes, Labels: slices.Clone(clean.Labels), Pixels: slices.Clone(clean.Pixels)}
	first := slices.Index(copied.Labels, target)
	for n, i := 0, first+1; n < 40; i++ {
		if copied.Labels[i] == target {
			copy(copied.Image(i), copied.Image(first))
			n++
		}
	}
	for name, set := range map[string]*dataset.Set{"clean": clean, "copies": copied} {
		seen, found := byPixels(t, set)
		if len(seen) != 1 || seen[0].Says != defense.NoEvidence || slices.Max(found) > 0 {
			t.Errorf("%s: %+v, probabilities up to %g", name, seen, slices.Max(found))
		}
		if apart := seen[0].Distance >= pattern; apart != (name == "copies") {
			t.Errorf("%s lie %g apart", name, seen[0].Distance)
		}
	}
}

// Large images are averaged down, and the number of threads changes nothing.
func TestPixelsOfLargeImages(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	small := signs.Render(1, 300, 10).Train
	const down, across = 1, 5
	h, w := down*small.Height, across*small.Width
	large := &dataset.Set{Height: h, Width: w, Classes: small.Classes, Labels: small.Labels, Pixels: make([]uint8, small.Len()*h*w*3)}
	for i := range large.Len() {
		for y := range h {
			for x := range w {
				copy(large.Image(i)[(y*w+x)*3:], small.Image(i)[(y/down*small.Width+x/across)*3:][:3])
			}
		}
	}
	s := spectraOf(t, large)
	if s.h != small.Height || s.w != w/3 {
		t.Errorf("looks at %d×%d pixels of %d×%d", s.h, s.w, h, w)
	}
	runtime.GOMAXPROCS(1)
	one, _ := byPixels(t, small)
	runtime.GOMAXPROCS(3)
	three, _ := byPixels(t, small)
	if one[0] != three[0] {
		t.Errorf("one thread sees %+v, three %+v", one[0], three[0])
	}
}

func TestParted(t *testing.T) {
	values := []float64{5, 1, 1, 2, 6, 0, 30}
	lower, upper, middle, ok := parted(values, 2)
	if !ok || lower.n != 5 || lower.mean != 1.8 || upper != (kind{2, 18, 12}) || middle != 9.9 {
		t.Errorf("parted into %+v and %+v at %g", lower, upper, middle)
	}
	if _, _, _, ok := parted(values, 4); ok {
		t.Error("seven values were parted into four and four")
	}
}
