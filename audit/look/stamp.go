package look

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
)

// StampFewest and StampMost are how many images with a pattern, and of the others, StampOf should learn it from.
const StampFewest, StampMost = 10, 2000

const (
	grain      = 1.0 / 255 // a grey level: what varies less is not divided by less
	mostScaled = 2         // times a deviation grows at most: other labels' pixels vary where these don't
)

// StampOf returns what makes the pixels of images without a pattern like those of the images with it: of the same mean and
// deviation, each pixel and colour; the deviation is left as it is where it differs by no more than chance. The images without it are
// of the label or of the others, whichever are more like them: an attacker shows the pattern on either.
func StampOf(set *dataset.Set, with, own, others []int) *augment.Stamp {
	p, from := pixelsOf(set, with), pixelsOf(set, own)
	if o := pixelsOf(set, others); floats.Distance(p.mean, o.mean, 2) < floats.Distance(p.mean, from.mean, 2) {
		from = o
	}
	s := &augment.Stamp{Scale: make([]float32, set.ImageBytes()), Shift: make([]float32, set.ImageBytes())}
	for k := range s.Scale {
		scale := 1.0
		if p.differs(from, k) {
			scale = min(mostScaled, p.deviation[k]/max(from.deviation[k], grain))
		}
		s.Scale[k], s.Shift[k] = float32(scale), float32(p.mean[k]-scale*from.mean[k])
	}
	return s
}

// pixelStats are the means and deviations of n images' pixels, from 0 to 1, [H,W,3], and the fourth moments about the means.
type pixelStats struct {
	n                       float64
	mean, deviation, fourth []float64
}

// differs tells whether a pixel's variance differs from that of others by more than chance makes it: by two deviations of such an
// estimate, as the others' pixel varies. A stroke that few images have may be missing in all of some.
func (p pixelStats) differs(from pixelStats, k int) bool {
	square := func(d float64) float64 { return d * d }
	own, others := square(p.deviation[k]), square(from.deviation[k])
	chance := math.Sqrt(max(0, from.fourth[k]-square(others)) * (1/p.n + 1/from.n))
	return math.Abs(own-others) > 2*chance
}

func pixelsOf(set *dataset.Set, images []int) pixelStats {
	n := set.ImageBytes()
	p := pixelStats{max(1, float64(len(images))), make([]float64, n), make([]float64, n), make([]float64, n)}
	third := make([]float64, n)
	for _, i := range images {
		for k, v := range set.Image(i) {
			x := float64(v) / 255
			p.mean[k] += x / p.n
			p.deviation[k] += x * x / p.n
			third[k] += x * x * x / p.n
			p.fourth[k] += x * x * x * x / p.n
		}
	}
	for k, m := range p.mean {
		second := p.deviation[k]
		p.fourth[k] += -4*m*third[k] + 6*m*m*second - 3*m*m*m*m
		p.deviation[k] = math.Sqrt(max(0, second-m*m))
	}
	return p
}
