// Package augment changes training images: random crop after padding, horizontal flip, cutout.
package augment

import (
	"math/rand/v2"
	"slices"
)

// Options says what is done. The zero value changes nothing.
type Options struct {
	Pad    int  // pixels of zero padding around, cropped back to size at a random place
	Flip   bool // left and right swapped in half of the images
	Cutout int  // side of a square of zeros at a random place; 0 for none
	// Coarse stands in for all but Flip: see the function Coarse.
	Coarse bool
}

// Standard is what ABL fine-tunes with: crop of 4 pixels at 32, flip, cutout of one 3×3 hole.
// Road signs must not be flipped.
func Standard(side int, flip bool) Options {
	return Options{Pad: max(1, side/8), Flip: flip, Cutout: max(1, side*3/32)}
}

// Apply writes the augmented image as numbers from 0 to 1.
func (o Options) Apply(dst []float32, src []uint8, h, w int, r *rand.Rand) {
	if o.Coarse {
		Coarse(dst, src, h, w, o.Flip, r)
		return
	}
	o.draw(h, w, r).apply(dst, src, h, w)
}

// crop is what is drawn for one image: how far its source lies off, in pixels, and its hole.
type crop struct {
	dy, dx                   int
	flip                     bool
	top, left, bottom, right int // none where bottom is top
}

func (o Options) draw(h, w int, r *rand.Rand) (c crop) {
	if o.Pad > 0 {
		c.dy, c.dx = r.IntN(2*o.Pad+1)-o.Pad, r.IntN(2*o.Pad+1)-o.Pad
	}
	if o.Flip {
		c.flip = r.IntN(2) == 1
	}
	if o.Cutout > 0 {
		top, left := r.IntN(h)-o.Cutout/2, r.IntN(w)-o.Cutout/2
		c.top, c.bottom = max(0, top), min(h, top+o.Cutout)
		c.left, c.right = max(0, left), min(w, max(0, left+o.Cutout))
	}
	return c
}

func (c crop) apply(dst []float32, src []uint8, h, w int) {
	for y := range h {
		row := dst[y*w*3 : (y+1)*w*3]
		sy := y + c.dy
		if sy < 0 || sy >= h {
			clear(row)
			continue
		}
		if c.dx == 0 && !c.flip {
			for i, v := range src[sy*w*3 : (sy+1)*w*3] {
				row[i] = scaled[v]
			}
			continue
		}
		for x := range w {
			sx := x + c.dx
			if c.flip {
				sx = w - 1 - x + c.dx
			}
			d := row[3*x : 3*x+3 : 3*x+3]
			if sx < 0 || sx >= w {
				d[0], d[1], d[2] = 0, 0, 0
				continue
			}
			s := src[(sy*w+sx)*3:]
			d[0], d[1], d[2] = scaled[s[0]], scaled[s[1]], scaled[s[2]]
		}
	}
	for y := c.top; y < c.bottom; y++ {
		clear(dst[(y*w+c.left)*3 : (y*w+c.right)*3])
	}
}

// Stamp lays a pattern over an image: what was x becomes Scale·x + Shift, from 0 to 1 again. Both are [H,W,3]. A sticker has a
// scale of 0 where it lies and 1 elsewhere, a picture blended in with opacity α has 1−α everywhere.
type Stamp struct{ Scale, Shift []float32 }

// Apply changes an image of numbers from 0 to 1.
func (s *Stamp) Apply(x []float32) {
	for i, v := range x {
		x[i] = min(max(s.Scale[i]*v+s.Shift[i], 0), 1)
	}
}

// On returns an image, of values from 0 to 255, with the stamp on it.
func (s *Stamp) On(image []uint8) []uint8 {
	x := make([]float32, len(image))
	Plain(x, image)
	s.Apply(x)
	return Append(make([]uint8, 0, len(image)), x)
}

// Append appends an image of numbers from 0 to 1 as values from 0 to 255.
func Append(image []uint8, x []float32) []uint8 {
	for _, v := range x {
		image = append(image, uint8(v*255+0.5))
	}
	return image
}

// leastLifted is the scale of a pixel under which too little of the image is left to be told.
const leastLifted = 0.5

// Inverse returns what undoes the stamp where most of the image shows through it; an opaque sticker stays where it is.
func (s *Stamp) Inverse() *Stamp {
	t := &Stamp{Scale: make([]float32, len(s.Scale)), Shift: make([]float32, len(s.Shift))}
	for i, scale := range s.Scale {
		if t.Scale[i] = 1; scale >= leastLifted {
			t.Scale[i], t.Shift[i] = 1/scale, -s.Shift[i]/scale
		}
	}
	return t
}

// Lifts tells whether Inverse undoes the stamp everywhere.
func (s *Stamp) Lifts() bool { return slices.Min(s.Scale) >= leastLifted }

// Plain writes the image as numbers from 0 to 1.
func Plain(dst []float32, src []uint8) {
	for i, v := range src {
		dst[i] = scaled[v]
	}
}

var scaled = func() (t [256]float32) {
	for i := range t {
		t[i] = float32(i) / 255
	}
	return t
}()
