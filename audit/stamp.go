package audit

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// That a sticker does not mean the label is taught by few of the removed images: most look like what they are, so that a network gives
// them another label without a thought of the sticker. Images of the label itself teach it, once the pattern lies on them. What
// it is follows from how the removed images' pixels are distributed.

const (
	grain       = 1.0 / 255 // a grey level: what varies less is not divided by less
	stampFewest = 10        // images that a pattern is learnt from
)

// counterexamples are images whose labels are wrong.
func counterexamples(images []int) []train.Example {
	var all []train.Example
	for _, i := range images {
		all = append(all, train.Example{Image: i, Wrong: true})
	}
	return all
}

// stamped returns kept images with the pattern that was found under their label, as the images in against show it: as many as
// those, at most half of the label's, to be told that they are not of it. As many of other labels are to be told that they still
// are what they were; without them a network takes the pattern for a sign of anything else.
func stamped(set *dataset.Set, targets []Target, kept, against []int, seed uint64) []train.Example {
	var all []train.Example
	for _, t := range targets {
		if t.Look != pixels.Name || t.Says != look.Poisoned {
			continue
		}
		under := func(i int) bool { return int(set.Labels[i]) == t.Label }
		own, others := look.Those(kept, under), look.Those(kept, func(i int) bool { return !under(i) })
		with := look.Those(against, under)
		n := min(len(with), len(own)/2, len(others))
		if len(with) < stampFewest || n == 0 {
			continue
		}
		s := stampOf(set, with, own, others)
		for _, from := range [][]int{own, others} {
			for _, j := range rng.Shuffle(seed, "stamp", len(from), t.Label)[:n] {
				all = append(all, train.Example{Image: from[j], Stamp: s, Wrong: int(set.Labels[from[j]]) == t.Label})
			}
		}
	}
	return all
}

// stampOf returns what makes the pixels of images without a pattern like those of the images with it: of the same mean and
// deviation, each pixel and colour. The images without it are of the label or of the others, whichever are more like them: an
// attacker shows the pattern on either.
func stampOf(set *dataset.Set, with, own, others []int) *augment.Stamp {
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
