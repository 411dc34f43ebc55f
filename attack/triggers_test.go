package attack

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

// stamped returns a set with an attack's trigger in all its images, as in training or as in test images.
func stamped(t *testing.T, c Config, set *dataset.Set, test bool) *dataset.Set {
	t.Helper()
	a, err := New(ctx, c, set, Env{})
	if err != nil {
		t.Fatal(err)
	}
	s := set.Clone()
	if err := a.trigger.Apply(ctx, &Batch{Set: s, At: rng.Iota(s.Len()), Test: test, Stream: a.stream("test")}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTriggersAreAsDefined(t *testing.T) {
	grey := &dataset.Set{Height: 32, Width: 32, Classes: []string{"a", "b"}, Pixels: bytes.Repeat([]byte{100}, 32*32*3), Labels: []int32{1}}
	apply := func(c Config) []uint8 { return stamped(t, c, grey, false).Pixels }
	patch := apply(Defaults("badnets"))
	changed := 0
	for p := range 32 * 32 {
		y, x := p/32, p%32
		in := y >= 29 && x >= 29
		if in != (patch[3*p] != 100) {
			t.Errorf("pixel %d,%d is %d", y, x, patch[3*p])
		}
		if in {
			changed++
			if want := uint8(255 * ((y + x + 1) % 2)); patch[3*p] != want {
				t.Errorf("the checkerboard at %d,%d is %d, expected %d", y, x, patch[3*p], want)
			}
		}
	}
	if changed != 9 {
		t.Errorf("the patch has %d pixels, expected 9", changed)
	}
	wave := apply(Defaults("sig"))
	for x := range 32 {
		want := 100 + 20*math.Sin(2*math.Pi*float64(x)*6/32)
		if math.Abs(float64(wave[3*x])-want) > 0.51 || wave[3*x] != wave[(31*32+x)*3] {
			t.Errorf("column %d is %d, expected %.1f in every row", x, wave[3*x], want)
		}
	}
	blended := apply(Defaults("blend"))
	for i, v := range blended {
		if v < 80 || v > 131 { // 0.8·100 + 0.2·(0…255)
			t.Fatalf("blended value %d at %d", v, i)
		}
	}
	c := Defaults("custom")
	with(t, &c, "image="+picture(t, 32))
	if own := apply(c); own[0] != 178 || own[1] != 50 || own[3*31] != 100 { // 100 + 128/255·(255−100), 100·127/255
		t.Errorf("a half transparent picture gives %v and %v", own[:3], own[3*31:3*31+3])
	}
}

// Optimised perturbations stay within ±ε of the original but for the patch, and reach their goal
// better than where they started.
func TestPerturbationsStayWithinEpsilon(t *testing.T) {
	const epsilon = 16.0
	d := images()
	for _, of := range []struct{ name, place string }{{"cl", ""}, {"fc", "image"}, {"fc", "patch"}} {
		name := of.name
		c := quick(t, name)
		with(t, &c, "steps=8")
		if of.place != "" {
			with(t, &c, "place="+of.place)
		}
		a, err := New(ctx, c, d.Train, Env{})
		if err != nil {
			t.Fatal(err)
		}
		p, truth, err := a.Poison(ctx, d.Train)
		if err != nil {
			t.Fatal(err)
		}
		moved := 0.0
		for i, poisoned := range truth.Poisoned {
			if !poisoned {
				continue
			}
			for k, v := range p.Image(i) {
				y, x := k/3/32, k/3%32
				if name == "cl" && (y < 3 || y >= 29) && (x < 3 || x >= 29) {
					continue
				}
				diff := math.Abs(float64(v) - float64(d.Train.Image(i)[k]))
				if of.place == "patch" && (y < 24 || x < 24) && diff > 0 {
					t.Fatalf("pixel %d of image %d moved, outside the patch's place", k, i)
				}
				moved += diff
				if diff > epsilon+0.5 {
					t.Fatalf("%s: pixel %d of image %d moved by %g, epsilon is %g", name, k, i, diff, epsilon)
				}
			}
		}
		if moved == 0 {
			t.Errorf("%s: nothing moved", name)
		}
	}
}

func TestVisibility(t *testing.T) {
	d := images()
	if v, err := Visible(d.Test, d.Test); err != nil || math.Abs(v.PSNR-99) > 1e-9 || v.SSIM == nil || math.Abs(*v.SSIM-1) > 1e-9 || v.Linf != 0 {
		t.Errorf("equal images: %+v", v)
	}
	grey := &dataset.Set{Height: 32, Width: 32, Pixels: bytes.Repeat([]byte{100}, 32*32*3), Labels: []int32{0}}
	other := grey.Clone()
	for i := range other.Pixels {
		other.Pixels[i] += 10
	}
	if v, err := Visible(grey, other); err != nil || math.Abs(v.PSNR-28.1308) > 1e-3 || v.Linf != 10 { // 20·log10(255/10)
		t.Errorf("ten levels apart: %+v", v)
	}
	for side, measured := range map[int]bool{2: false, 6: false, 7: true} {
		small := &dataset.Set{Height: side, Width: 32, Pixels: make([]uint8, side*32*3), Labels: []int32{0}}
		if v, err := Visible(small, small); err != nil || (v.SSIM != nil) != measured {
			t.Errorf("SSIM of %d rows: %+v", side, v)
		}
	}
	for _, wrong := range []*dataset.Set{{Height: 32, Width: 32}, {Height: 16, Width: 32, Pixels: make([]uint8, 16*32*3), Labels: []int32{0}}} {
		if _, err := Visible(grey, wrong); err == nil {
			t.Errorf("%d images of %d rows are compared with one of 32", wrong.Len(), wrong.Height)
		}
		if err := Picture(io.Discard, grey, wrong); err == nil {
			t.Errorf("%d images of %d rows are drawn beside one of 32", wrong.Len(), wrong.Height)
		}
	}
}

// A test image gets the same trigger whether it is asked for attack success or for robust accuracy.
func TestTriggeredImagesAreTheMarkedOnes(t *testing.T) {
	d := images()
	c := quick(t, "refool")
	a, err := New(ctx, c, d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	triggered, err := a.Triggered(ctx, d.Test)
	if err != nil {
		t.Fatal(err)
	}
	marked, err := a.Marked(ctx, d.Test)
	if err != nil {
		t.Fatal(err)
	}
	k := 0
	for i, l := range d.Test.Labels {
		if !a.Aims(int(l)) {
			continue
		}
		if !bytes.Equal(triggered.Image(k), marked.Image(i)) {
			t.Fatalf("test image %d has two triggers", i)
		}
		k++
	}
	if k != triggered.Len() || k == d.Test.Len() {
		t.Errorf("%d images are aimed at, %d of %d are triggered", k, triggered.Len(), d.Test.Len())
	}
}
