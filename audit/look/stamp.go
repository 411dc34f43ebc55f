package look

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
)

// StampFewest and StampMost are how many images with a pattern, and of the others, StampOf should learn it from.
const StampFewest, StampMost = 10, 2000

const grain = 1.0 / 255 // a grey level: what varies less is not divided by less

// StampOf returns what makes the pixels of images without a pattern like those of the images with it: of the same mean and
// deviation, each pixel and colour. The images without it are of the label or of the others, whichever are more like them: an
// attacker shows the pattern on either.
func StampOf(set *dataset.Set, with, own, others []int) *augment.Stamp {
	p, from := pixelsOf(set, with), pixelsOf(set, own)
	if o := pixelsOf(set, others); floats.Distance(p.mean, o.mean, 2) < floats.Distance(p.mean, from.mean, 2) {
		from = o
	}
	s := &augment.Stamp{Scale: make([]float32, set.ImageBytes()), Shift: make([]float32, set.ImageBytes())}
	for k := range s.Scale {
		scale := p.deviation[k] / max(from.deviation[k], grain)
		s.Scale[k], s.Shift[k] = float32(scale), float32(p.mean[k]-scale*from.mean[k])
	}
	return s
}

// pixelStats are the means and deviations of images' pixels, from 0 to 1, [H,W,3].
type pixelStats struct{ mean, deviation []float64 }

func pixelsOf(set *dataset.Set, images []int) pixelStats {
	n := set.ImageBytes()
	p := pixelStats{make([]float64, n), make([]float64, n)}
	for _, i := range images {
		for k, v := range set.Image(i) {
			x := float64(v) / 255
			p.mean[k] += x
			p.deviation[k] += x * x
		}
	}
	m := max(1, float64(len(images)))
	for k := range p.mean {
		p.mean[k] /= m
		p.deviation[k] = math.Sqrt(max(0, p.deviation[k]/m-p.mean[k]*p.mean[k]))
	}
	return p
}
