package attack

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// ramps are images whose red is ten times the column and whose green is ten times the row, so that a warp shows in them.
func ramps(side int) *dataset.Set {
	s := &dataset.Set{Height: side, Width: side, Classes: []string{"a", "b"}, Labels: []int32{1}, Pixels: make([]uint8, side*side*3)}
	for i := range side * side {
		s.Pixels[3*i], s.Pixels[3*i+1] = uint8(10*(i%side)), uint8(10*(i/side))
	}
	return s
}

// The field is strength/2 pixels on average at its nodes, smooth between them, and the image moves as the field says.
func TestWaNetsFieldIsAsDefined(t *testing.T) {
	const side, k = 25, 4 // nodes at 0, 8, 16 and 24
	s := &WaNet{Strength: 2, Grid: k}
	f := s.field(1, side, side)
	mean := 0.0
	for _, axis := range f {
		for y := 0; y < side; y += 8 {
			for x := 0; x < side; x += 8 {
				mean += math.Abs(axis[y*side+x]) / (2 * k * k)
			}
		}
		for y := range side {
			for x := 1; x < side; x++ {
				if step := math.Abs(axis[y*side+x] - axis[y*side+x-1]); step > 1 {
					t.Errorf("the field jumps by %g at %d,%d", step, y, x)
				}
			}
		}
	}
	if want := s.Strength / 2 * (side - 1) / side; math.Abs(mean-want) > 1e-9 {
		t.Errorf("displacements are %g pixels on average, expected %g", mean, want)
	}
	set := ramps(side)
	c := Defaults("wanet")
	c.Own = s
	moved := stamped(t, c, set, false)
	again := s.field(c.Seed, side, side)
	for y := 3; y < side-3; y++ {
		for x := 3; x < side-3; x++ {
			at := y*side + x
			dx, dy := float64(moved.Pixels[3*at])/10-float64(x), float64(moved.Pixels[3*at+1])/10-float64(y)
			if math.Abs(dx-again[0][at]) > 0.051 || math.Abs(dy-again[1][at]) > 0.051 {
				t.Fatalf("the pixel at %d,%d came from %g, %g further, the field says %g, %g", y, x, dx, dy, again[0][at], again[1][at])
			}
		}
	}
}

// Covering images have noise on top of the field, of at most its size and another one each.
func TestWaNetsCoverIsNoisy(t *testing.T) {
	set := ramps(25)
	c := Defaults("wanet")
	a, err := New(ctx, c, set, Env{})
	if err != nil {
		t.Fatal(err)
	}
	plain := stamped(t, c, set, false)
	other := 0
	for seed := range 2 {
		s := set.Clone()
		if err := a.trigger.(Coverer).Cover(ctx, &Batch{Set: s, At: []int{0}, Stream: func(int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 1)) }}); err != nil {
			t.Fatal(err)
		}
		for i, v := range s.Pixels {
			d := math.Abs(float64(v) - float64(plain.Pixels[i]))
			if d > 0 {
				other++
			}
			if d > 10*c.Own.(*WaNet).Noise+1 {
				t.Fatalf("value %d is off by %g", i, d)
			}
		}
	}
	if other < 25*25 {
		t.Errorf("%d values show noise", other)
	}
}

// Cubic convolution goes through its nodes and keeps straight lines straight.
func TestBicubic(t *testing.T) {
	grid := make([]float64, 36)
	for i := range grid {
		grid[i] = float64(i/6) + 2*float64(i%6)
	}
	for y := 1.0; y <= 4; y += 0.5 { // away from the border, which goes on
		for x := 1.0; x < 4; x += 0.25 {
			if y == math.Trunc(y) && x == math.Trunc(x) || math.Mod(y, 1) == 0.5 && math.Mod(x, 1) == 0.5 && y < 4 && x < 4 {
				if got := bicubic(grid, 6, y, x); math.Abs(got-(y+2*x)) > 1e-9 {
					t.Errorf("at %g,%g: %g, expected %g", y, x, got, y+2*x)
				}
			}
		}
	}
}
