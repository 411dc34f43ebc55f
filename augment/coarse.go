package augment

import (
	"math"
	"math/rand/v2"
)

// The ranges from which Coarse draws, for images of 32 pixels a side; lengths grow with the side.
const (
	coarseTurn   = 12 * math.Pi / 180 // radians either way
	coarseZoom   = 0.15               // share either way
	coarseShear  = 0.1
	coarseShift  = 3.0 // pixels either way
	coarseBlur   = 0.4 // standard deviation of the blur, pixels: at least, and
	coarseBlurTo = 1.1 // at most
	coarseGain   = 0.3 // of each colour, share either way
	coarseOffset = 30.0 / 255
	coarseHole   = 9 // pixels of a hole's side at most
)

// leastBlur is the deviation, in pixels, under which a neighbour counts less than a number of 32 bits shows.
const leastBlur = 0.1

// Coarse destroys what is small, exact or of an exact colour and keeps what an image shows: a random affine map, a blur, gains and
// shifts of the colours, a hole anywhere and one in a corner, filled with random colours. dst receives numbers from 0 to 1; src
// has h rows of w pixels. flip swaps left and right in half of the images.
func Coarse(dst []float32, src []uint8, h, w int, flip bool, r *rand.Rand) {
	c := drawCoarse(h, w, flip, r)
	warp(dst, src, h, w, c.affine)
	Blur(dst, h, w, c.deviation)
	for i, v := range dst[:h*w*3] {
		dst[i] = min(max(v*c.gain[i%3]+c.shift[i%3], 0), 1)
	}
	for _, p := range c.holes {
		p.fill(dst, w)
	}
}

// coarse is what is drawn for one image.
type coarse struct {
	affine      [6]float64 // see affine
	deviation   float64    // of the blur
	gain, shift [3]float32
	holes       [2]patch
}

func drawCoarse(h, w int, flip bool, r *rand.Rand) (c coarse) {
	side := side(h, w)
	c.affine = affine(flip, side, r)
	c.deviation = side * (coarseBlur + (coarseBlurTo-coarseBlur)*r.Float64())
	for k := range 3 {
		c.gain[k] = float32(1 + coarseGain*(2*r.Float64()-1))
		c.shift[k] = float32(coarseOffset * (2*r.Float64() - 1))
	}
	for k := range c.holes {
		c.holes[k] = drawPatch(h, w, side, k == 1, r)
	}
	return c
}

// side is how many times 32 pixels the shorter side is.
func side(h, w int) float64 { return float64(min(h, w)) / 32 }

// affine draws a map from a place in the new image to one in the old, both from the centre.
func affine(flip bool, side float64, r *rand.Rand) [6]float64 {
	either := func(most float64) float64 { return most * (2*r.Float64() - 1) }
	turn, zoomX, zoomY, shear := either(coarseTurn), 1+either(coarseZoom), 1+either(coarseZoom), either(coarseShear)
	sin, cos := math.Sincos(turn)
	m := [6]float64{zoomX * cos, zoomX * (shear*cos - sin), side * either(coarseShift), zoomY * sin, zoomY * (shear*sin + cos), side * either(coarseShift)}
	if flip && r.IntN(2) == 1 {
		m[0], m[3] = -m[0], -m[3]
	}
	return m
}

// warp fills dst from src through an affine map, between pixels by bilinear interpolation, beyond the edge with the edge's colour.
func warp(dst []float32, src []uint8, h, w int, m [6]float64) {
	cx, cy := float64(w-1)/2, float64(h-1)/2
	for y := range h {
		for x := range w {
			u, v := float64(x)-cx, float64(y)-cy
			sx := min(max(m[0]*u+m[1]*v+m[2]+cx, 0), float64(w-1))
			sy := min(max(m[3]*u+m[4]*v+m[5]+cy, 0), float64(h-1))
			x0, y0 := int(sx), int(sy)
			x1, y1 := min(x0+1, w-1), min(y0+1, h-1)
			fx, fy := float32(sx-float64(x0)), float32(sy-float64(y0))
			a, b := src[(y0*w+x0)*3:], src[(y0*w+x1)*3:]
			c, d := src[(y1*w+x0)*3:], src[(y1*w+x1)*3:]
			to := dst[(y*w+x)*3 : (y*w+x)*3+3]
			for k := range to {
				upper := scaled[a[k]] + fx*(scaled[b[k]]-scaled[a[k]])
				lower := scaled[c[k]] + fx*(scaled[d[k]]-scaled[c[k]])
				to[k] = upper + fy*(lower-upper)
			}
		}
	}
}

// Blur smooths an image [h,w,3] in place with a Gaussian of a standard deviation in pixels; the edge's colour goes on beyond it. One of
// less than a tenth of a pixel, or that is infinite or no number, changes nothing.
func Blur(x []float32, h, w int, deviation float64) {
	if !(deviation >= leastBlur) || math.IsInf(deviation, 1) {
		return
	}
	kernel := gaussian(deviation)
	reach := len(kernel) / 2
	line := make([]float32, 3*(max(h, w)+2*reach))
	smooth := func(start, step, n int) { // one row or column
		for k := -reach; k < n+reach; k++ {
			at := start + min(max(k, 0), n-1)*step
			copy(line[3*(k+reach):3*(k+reach)+3], x[at:at+3])
		}
		for k := range n {
			var a, b, c float32
			for j, weight := range kernel {
				p := line[3*(k+j) : 3*(k+j)+3]
				a, b, c = a+weight*p[0], b+weight*p[1], c+weight*p[2]
			}
			at := start + k*step
			x[at], x[at+1], x[at+2] = a, b, c
		}
	}
	for y := range h {
		smooth(y*w*3, 3, w)
	}
	for i := range w {
		smooth(i*3, w*3, h)
	}
}

// reach is how far a blur looks, in pixels.
func reach(deviation float64) int { return int(math.Ceil(3 * deviation)) }

// gaussian returns a blur's weights, whose sum is 1.
func gaussian(deviation float64) []float32 {
	reach := reach(deviation)
	kernel := make([]float32, 2*reach+1)
	sum := float32(0)
	for k := range kernel {
		d := float64(k - reach)
		kernel[k] = float32(math.Exp(-d * d / (2 * deviation * deviation)))
		sum += kernel[k]
	}
	for k := range kernel {
		kernel[k] /= sum
	}
	return kernel
}

// patch is a rectangle of a colour.
type patch struct {
	top, left, h, w int
	colour          [3]float32
}

// drawPatch draws one anywhere, or in one of the corners.
func drawPatch(h, w int, side float64, corner bool, r *rand.Rand) (p patch) {
	most := max(2, int(side*coarseHole))
	p.h, p.w = 1+r.IntN(min(most, h)), 1+r.IntN(min(most, w))
	p.top, p.left = r.IntN(h-p.h+1), r.IntN(w-p.w+1)
	if corner {
		p.top, p.left = r.IntN(2)*(h-p.h), r.IntN(2)*(w-p.w)
	}
	p.colour = [3]float32{r.Float32(), r.Float32(), r.Float32()}
	return p
}

func (p *patch) fill(x []float32, w int) {
	for y := p.top; y < p.top+p.h; y++ {
		for i := p.left; i < p.left+p.w; i++ {
			copy(x[(y*w+i)*3:(y*w+i)*3+3], p.colour[:])
		}
	}
}
