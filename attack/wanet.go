package attack

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

var waNet = Method{
	Name:     "wanet",
	About:    "The whole image warped by one smooth field; warps with noise on top keep their labels.",
	Paper:    "Nguyen and Tran, WaNet: Imperceptible Warping-based Backdoor Attack, ICLR 2021",
	Cover:    0.2,
	Settings: func() Settings { return &WaNet{Strength: 0.5, Grid: 4, Noise: 0.5} },
}

// WaNet are the settings of wanet, with the paper's values by default.
type WaNet struct {
	Strength float64 `json:"strength,omitempty" range:"(0,16]"` // twice the mean displacement at the grid's nodes, in pixels along an axis
	Grid     int     `json:"grid,omitempty" range:"[2,64]"`     // nodes along a side of the field
	Noise    float64 `json:"noise,omitempty" range:"[0,16]"`    // largest further displacement in covering images, in pixels along an axis
}

// Trigger implements Settings.
func (s *WaNet) Trigger(c Common, set *dataset.Set) (Trigger, error) {
	return &warp{h: set.Height, w: set.Width, noise: s.Noise, field: s.field(c.Seed, set.Height, set.Width)}, nil
}

// unused implements choosing.
func (s *WaNet) unused(c Common) []string {
	if c.Cover == 0 {
		return []string{"noise"}
	}
	return nil
}

// field returns displacements [h,w] along x and y in pixels: those at the nodes are uniform and of mean size 1, bicubic
// between them, and scaled by half the strength. The paper gives them in coordinates from −1 to 1 over the image.
func (s *WaNet) field(seed uint64, h, w int) [2][]float64 {
	r := rng.Stream(seed, "attack wanet field")
	k := s.Grid
	var nodes [2][]float64
	mean := 0.0
	for axis := range nodes {
		nodes[axis] = make([]float64, k*k)
		for i := range nodes[axis] {
			nodes[axis][i] = 2*r.Float64() - 1
			mean += math.Abs(nodes[axis][i]) / float64(2*k*k)
		}
	}
	var f [2][]float64
	for axis, side := range []int{w, h} {
		scale := s.Strength / mean / 2 * float64(side-1) / float64(side)
		f[axis] = make([]float64, h*w)
		for y := range h {
			for x := range w {
				at := func(i, n int) float64 { return float64(i) * float64(k-1) / float64(max(1, n-1)) }
				f[axis][y*w+x] = scale * bicubic(nodes[axis], k, at(y, h), at(x, w))
			}
		}
	}
	return f
}

// bicubic interpolates a k×k grid, whose border values go on, by cubic convolution with a = −0.75 (Keys 1981).
func bicubic(grid []float64, k int, y, x float64) float64 {
	y0, x0 := int(math.Floor(y)), int(math.Floor(x))
	sum := 0.0
	for dy := -1; dy <= 2; dy++ {
		for dx := -1; dx <= 2; dx++ {
			v := grid[min(k-1, max(0, y0+dy))*k+min(k-1, max(0, x0+dx))]
			sum += v * cubic(y-float64(y0+dy)) * cubic(x-float64(x0+dx))
		}
	}
	return sum
}

func cubic(t float64) float64 {
	const a = -0.75
	t = math.Abs(t)
	switch {
	case t <= 1:
		return ((a+2)*t-(a+3))*t*t + 1
	case t < 2:
		return ((a*t-5*a)*t+8*a)*t - 4*a
	}
	return 0
}

type warp struct {
	h, w  int
	noise float64
	field [2][]float64
}

// Apply implements Trigger.
func (w *warp) Apply(ctx context.Context, b *Batch) error { return w.by(0).Apply(ctx, b) }

// Cover warps images by the field and by noise of each pixel's own.
func (w *warp) Cover(ctx context.Context, b *Batch) error { return w.by(w.noise).Apply(ctx, b) }

func (w *warp) by(noise float64) pixels {
	return func(dst, src []uint8, _ bool, r *rand.Rand) {
		for at := range w.h * w.w {
			u, v := float64(at%w.w)+w.field[0][at], float64(at/w.w)+w.field[1][at]
			if noise > 0 {
				u += noise * (2*r.Float64() - 1)
				v += noise * (2*r.Float64() - 1)
			}
			bilinear(dst[3*at:3*at+3], src, w.h, w.w, v, u)
		}
	}
}

// bilinear writes the colour of an image [h,w,3] at a place between its pixels; places outside are moved to the border.
func bilinear(dst, src []uint8, h, w int, y, x float64) {
	y, x = min(float64(h-1), max(0, y)), min(float64(w-1), max(0, x))
	y0, x0 := int(y), int(x)
	y1, x1 := min(h-1, y0+1), min(w-1, x0+1)
	fy, fx := y-float64(y0), x-float64(x0)
	for c := range 3 {
		at := func(y, x int) float64 { return float64(src[(y*w+x)*3+c]) }
		dst[c] = toByte((1-fy)*((1-fx)*at(y0, x0)+fx*at(y0, x1)) + fy*((1-fx)*at(y1, x0)+fx*at(y1, x1)))
	}
}
