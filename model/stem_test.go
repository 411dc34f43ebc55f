package model_test

import (
	"math"
	"testing"

	"github.com/unpoison/unpoison/model"
)

// Images of any size leave a map of about 32×32, and small ones are seen as they always were.
func TestStemLeavesAMapOfOneSize(t *testing.T) {
	for side := 8; side <= 512; side++ {
		p := model.StemFor("wrn-16-1", side, side)
		if left := float64(side) / float64(p); side < 48 && p != 1 || side >= 48 && (left < 22 || left > 45) {
			t.Errorf("%d pixels: patches of %d", side, p)
		}
	}
	for _, c := range []struct {
		arch       string
		h, w, want int
	}{
		{"small-cnn", 224, 224, 7},
		{"preact-resnet-18", 128, 128, 4},
		{"wrn-40-1", 168, 224, 6},
		{"wrn-16-1", 8, 4000, 1},
		{"wrn-16-1", 20, 4000, 2},
		{"resnet-34", 224, 224, 1},
		{"mine", 224, 224, 1},
	} {
		if got := model.StemFor(c.arch, c.h, c.w); got != c.want {
			t.Errorf("%s of %d×%d: patches of %d, expected %d", c.arch, c.h, c.w, got, c.want)
		}
	}
}

// Patches lie side by side, and every pixel lies in one.
func TestPatchesSeeEveryPixel(t *testing.T) {
	for side := 48; side < 260; side += 11 {
		n, err := model.New("small-cnn", 3, side, 2*side+1)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := n.Layers()
		if err != nil {
			t.Fatal(err)
		}
		l := layers[0]
		if l.Name != "stem.conv" || l.Kernel != n.Stem || l.Stride != n.Stem {
			t.Fatalf("%d pixels: the first layer is %+v", side, l)
		}
		for axis, pixels := range []int{side, 2*side + 1} {
			maps := (pixels+2*l.Pad[axis]-l.Kernel)/l.Stride + 1
			first, last := -l.Pad[axis], maps*l.Stride-l.Pad[axis]-1
			if first > 0 || last < pixels-1 || maps != (pixels+n.Stem-1)/n.Stem {
				t.Errorf("%d pixels in patches of %d: %d of them see %d to %d", pixels, n.Stem, maps, first, last)
			}
		}
	}
}

// A network with a stem has the tensors of the one without, but for what the first convolution takes in.
func TestStemIsInFront(t *testing.T) {
	for _, arch := range model.Names() {
		plain, err := model.New(arch, 3, 32, 32)
		if err != nil {
			t.Fatal(err)
		}
		large, err := model.NewStem(arch, 3, 64, 64, 2)
		if err != nil {
			t.Fatal(err)
		}
		a, b := plain.Init(1), large.Init(1)
		if model.StemOf(a) != 1 || model.StemOf(b) != 2 || len(b) != len(a)+5 {
			t.Errorf("%s: stems of %d and %d, %d and %d tensors", arch, model.StemOf(a), model.StemOf(b), len(a), len(b))
		}
		for _, x := range a {
			y := b.Get(x.Name)
			if y == nil || x.Name != "conv1.weight" && len(x.Data) != len(y.Data) {
				t.Errorf("%s: %s is another", arch, x.Name)
			}
		}
	}
}

// What a stem makes of an image has the deviation that networks expect of their input, so that training starts as it does
// without one.
func TestStemKeepsTheScale(t *testing.T) {
	n, err := model.New("wrn-16-1", 2, 224, 224)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	w := n.Init(1).Get(model.StemWeight)
	for _, v := range w.Data {
		sum += float64(v) * float64(v)
	}
	if got, want := sum/float64(len(w.Data)), 2.0/(7*7*3); math.Abs(got-want) > want/10 {
		t.Errorf("the variance of the weights is %g, expected %g", got, want)
	}
}
