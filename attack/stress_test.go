package attack

import (
	"bytes"
	"math"
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// greys are images of one value.
func greys(n, side int, value uint8) *dataset.Set {
	return &dataset.Set{
		Height: side, Width: side, Classes: []string{"a", "b"}, Labels: ones(n),
		Pixels: bytes.Repeat([]byte{value}, n*side*side*3),
	}
}

func ones(n int) []int32 {
	l := make([]int32, n)
	for i := range l {
		l[i] = 1
	}
	return l
}

// Half of the pieces show in a training image, others in the next one; all of them, stronger, in test images.
func TestAdaptiveBlendShowsPieces(t *testing.T) {
	set := greys(8, 32, 100)
	c := Defaults("adaptive-blend")
	whole, part := stamped(t, c, set, true), stamped(t, c, set, false)
	seen := map[[16]bool]bool{}
	for i := range set.Len() {
		var shown [16]bool
		for k, v := range part.Image(i) {
			y, x := k/3/32, k/3%32
			if v != 100 {
				shown[y/8*4+x/8] = true
			}
			if d, most := math.Abs(float64(whole.Image(i)[k])-100), 0.2*155+0.5; d > most {
				t.Fatalf("a test image changed by %g, at most %g", d, most)
			}
			want := 0.75 * (float64(whole.Image(i)[k]) - 100) // α 0.15 beside 0.2
			if v != 100 && math.Abs(float64(v)-100-want) > 1 {
				t.Fatalf("a training image changed by %d, expected %.1f", int(v)-100, want)
			}
		}
		n := 0
		for _, s := range shown {
			if s {
				n++
			}
		}
		if n != 8 {
			t.Errorf("image %d shows %d of 16 pieces", i, n)
		}
		seen[shown] = true
	}
	if len(seen) < 6 {
		t.Errorf("8 images show %d different halves", len(seen))
	}
	if !bytes.Equal(whole.Image(0), whole.Image(1)) {
		t.Error("two test images show different patterns")
	}
}

// A training image shows one patch of four, faint; a test image two, whole.
func TestAdaptivePatchShowsOne(t *testing.T) {
	set := greys(64, 32, 100)
	c := Defaults("adaptive-patch")
	train, test := stamped(t, c, set, false), stamped(t, c, set, true)
	kinds := map[string]int{}
	for i := range set.Len() {
		kinds[string(train.Image(i))]++
		for _, v := range train.Image(i) {
			if d := math.Abs(float64(v) - 100); d > 0.5*155+0.5 {
				t.Fatalf("a training image changed by %g", d)
			}
		}
	}
	if len(kinds) != 4 {
		t.Errorf("training images show %d different patches, expected 4", len(kinds))
	}
	full := 0
	for _, v := range test.Image(0) {
		if v == 0 || v == 255 {
			full++
		}
	}
	if want := 3 * (10*10 + 3*9); full != want { // the square and the three other corners' checkerboards
		t.Errorf("%d values of a test image are at full strength, expected %d", full, want)
	}
}

// TaCT's trigger counts on the source class; under the labels of others it covers, and under the target's it never is.
func TestTaCTIsSourceSpecific(t *testing.T) {
	d := images()
	c, err := Parse("tact:source=2,target=5,rate=0.05,cover=0.1")
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(ctx, c, d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	_, truth, err := a.Poison(ctx, d.Train)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range d.Train.Labels {
		if truth.Poisoned[i] && l != 2 || truth.Covered[i] && (l == 2 || l == 5) {
			t.Errorf("an image of class %d is poisoned %v, covers %v", l, truth.Poisoned[i], truth.Covered[i])
		}
	}
	trig, err := a.Triggered(ctx, d.Test)
	if err != nil || trig.Len() != len(d.Test.OfClass(2)) {
		t.Errorf("%d triggered images, expected those of the source class: %v", trig.Len(), err)
	}
	if none, err := a.Covered(ctx, d.Test.Subset(d.Test.OfClass(2))); err != nil || none != nil {
		t.Errorf("covered images where none can be: %v, %v", none, err)
	}
	control, err := a.Covered(ctx, d.Test)
	if err != nil || control.Len() != d.Test.Len()-len(d.Test.OfClass(2))-len(d.Test.OfClass(5)) {
		t.Errorf("%d control images: %v", control.Len(), err)
	}
	for _, spec := range []string{"tact:source=5,target=5", "tact:source=10"} {
		c, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(ctx, c, d.Train, Env{}); err == nil {
			t.Errorf("%s was taken", spec)
		}
	}
}

// Quantised images have the levels and nothing else; dithering keeps the mean colour where plain rounding does not.
func TestBppQuantises(t *testing.T) {
	set := greys(1, 32, 50) // between the levels 36.4 and 72.9
	c := Defaults("bpp")
	dithered := stamped(t, c, set, false)
	with(t, &c, "dither=false")
	rounded := stamped(t, c, set, false)
	mean := 0.0
	for i, v := range dithered.Pixels {
		if v != 36 && v != 73 {
			t.Fatalf("value %d is %d, no level of eight", i, v)
		}
		if rounded.Pixels[i] != 36 {
			t.Fatalf("50 is rounded to %d", rounded.Pixels[i])
		}
		mean += float64(v) / float64(len(dithered.Pixels))
	}
	if math.Abs(mean-50) > 1 {
		t.Errorf("the mean of 50 is %g after dithering", mean)
	}
	photo := images().Test
	levels := map[uint8]bool{}
	for _, v := range stamped(t, Defaults("bpp"), photo, false).Pixels {
		levels[v] = true
	}
	if len(levels) > 8 {
		t.Errorf("%d levels, expected at most 8", len(levels))
	}
}

// The pattern is smooth: neighbours differ by a small part of its size, which is delta, and it shifts no colour.
func TestLowFrequencyIsSmooth(t *testing.T) {
	set := greys(1, 32, 128)
	p := stamped(t, Defaults("low-frequency"), set, false).Pixels
	largest, step, sum := 0.0, 0.0, 0.0
	for i, v := range p {
		d := float64(v) - 128
		largest, sum = max(largest, math.Abs(d)), sum+d/float64(len(p))
		if i/3%32 > 0 {
			step = max(step, math.Abs(float64(v)-float64(p[i-3])))
		}
		if i >= 96 {
			step = max(step, math.Abs(float64(v)-float64(p[i-96])))
		}
	}
	if largest != 32 || step > 12 || math.Abs(sum) > 0.2 {
		t.Errorf("the largest change is %g, neighbours differ by %g, the mean by %g", largest, step, sum)
	}
}

// What lies in black glass is the reflection alone, never brighter than the picture; white pictures make grey images brighter.
func TestRefoolReflects(t *testing.T) {
	set := greys(20, 32, 0)
	for i := 10; i < 20; i++ { // half of the pictures are white
		copy(set.Image(i), bytes.Repeat([]byte{255}, set.ImageBytes()))
	}
	shares := map[uint8]bool{}
	s := stamped(t, Defaults("refool"), set, false)
	for i := range 10 {
		v := s.Image(i)[0]
		if light := math.Pow(float64(v)/255, 2.2); v > 0 && (light < 0.045 || light > 0.455) {
			t.Errorf("black glass reflects %.2f of the light", light)
		}
		shares[v] = true
		for k, v := range s.Image(10 + i) {
			if k%97 == 0 && v < 190 {
				t.Errorf("a white image behind glass is %d", v)
			}
		}
	}
	if len(shares) < 4 {
		t.Errorf("10 images have %d different reflections", len(shares))
	}
}
