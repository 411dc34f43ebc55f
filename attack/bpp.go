package attack

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
)

var bpp = Method{
	Name:     "bpp",
	About:    "Colours cut to a few levels, with dithering; another image's change keeps the label.",
	Paper:    "Wang et al., BppAttack: Stealthy and Efficient Trojan Attacks via Image Quantization, CVPR 2022",
	Fixed:    true,
	Cover:    0.1,
	Settings: func() Settings { return &Bpp{Levels: 8, Dither: true} },
}

// Bpp are the settings of bpp.
type Bpp struct {
	Levels int  `json:"levels,omitempty" range:"[2,128]"` // of each colour
	Dither bool `json:"dither"`                           // by Floyd and Steinberg's error diffusion
}

// Trigger implements Settings.
func (s *Bpp) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	return &quantised{*s, set.Width}, nil
}

type quantised struct {
	Bpp
	width int
}

// Apply implements Trigger.
func (q *quantised) Apply(ctx context.Context, b *Batch) error {
	return pixels(func(dst, src []uint8, _ bool, _ *rand.Rand) { q.quantise(dst, src) }).Apply(ctx, b)
}

// Cover adds to each image what quantising changes in another: the paper's negative samples.
func (q *quantised) Cover(ctx context.Context, b *Batch) error {
	from, done := b.others()
	defer done()
	few := make([]uint8, b.Set.ImageBytes())
	for _, i := range b.At {
		other, img := from(i), b.Set.Image(i)
		q.quantise(few, other)
		for k := range img {
			img[k] = toByte(float64(img[k]) + float64(few[k]) - float64(other[k]))
		}
	}
	return ctx.Err()
}

// quantise rounds an image [h,w,3] to equal levels from 0 to 255. What rounding a pixel adds is taken from its neighbours
// that are still to come: 7, 3, 5 and 1 sixteenths from those right, below left, below and below right.
func (q *quantised) quantise(dst, src []uint8) {
	v := make([]float64, len(src))
	for i, s := range src {
		v[i] = float64(s)
	}
	step := 255 / float64(q.Levels-1)
	row := 3 * q.width
	for i := range v {
		level := step * min(float64(q.Levels-1), max(0, math.Round(v[i]/step)))
		left := v[i] - level
		dst[i] = toByte(level)
		if !q.Dither {
			continue
		}
		x := i / 3 % q.width
		pass := func(at int, share float64) {
			if at < len(v) {
				v[at] += left * share
			}
		}
		if x+1 < q.width {
			pass(i+3, 7.0/16)
			pass(i+row+3, 1.0/16)
		}
		if x > 0 {
			pass(i+row-3, 3.0/16)
		}
		pass(i+row, 5.0/16)
	}
}
