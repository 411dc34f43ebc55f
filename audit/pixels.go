package audit

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/floats"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/rng"
)

// A pattern that is the same in many images of a label and in none of another, a sticker, a picture blended in, shows
// without a network. In the cosine transform of opponent colours the coefficients of photographs are hardly correlated and
// of known size each (Field, "Relations between the statistics of natural images and the response properties of cortical
// cells", JOSA A 1987), so that dividing by their deviations makes an image noise of one deviation in every direction, in
// which a pattern stands out by far. The difference between a label's mean and that of the rest points to it (Fisher's
// discriminant). It is learnt on one half of the images and measured on the other, so that chance shows as what it is.

const (
	largestSide = 64        // of what is looked at; larger images are averaged down to it
	grain       = 1.0 / 255 // a grey level: what varies less is not divided by less
	leastApart  = 0.1       // deviations of a side's images at least, where all are alike
)

// spectra are the images' whitened coefficients, computed anew whenever they are asked for: they would fill the memory.
type spectra struct {
	set    *dataset.Set
	of     [][]int // the images of each label
	fold   []uint8 // of each image, 0 or 1
	h, w   int     // of what is looked at
	bh, bw int     // how many of an image's pixels, down and across, make one of it
	// Sums of the coefficients, of each label and fold, and of each fold; the variance within labels.
	sums     [][2][]float64
	total    [2][]float64
	count    [][2]int
	all      [2]int
	variance []float64
}

// transform computes an image's coefficients; each worker has its own.
type transform struct {
	*spectra
	rows, columns *fourier.QuarterWaveFFT
	line, out     []float64
	z             []float64
}

func (s *spectra) size() int { return 3 * s.h * s.w }

func (s *spectra) transform() *transform {
	n := max(s.h, s.w)
	return &transform{s, fourier.NewQuarterWaveFFT(s.w), fourier.NewQuarterWaveFFT(s.h), make([]float64, n), make([]float64, n), make([]float64, s.size())}
}

// image fills z with the coefficients of an image: of its luminance, red against green, and both against blue, from 0 to 1,
// each [h, w], low frequencies first.
func (t *transform) image(i int) []float64 {
	pixels, area := t.set.Image(i), t.h*t.w
	scale := 1 / (255 * float64(t.bh*t.bw))
	for y := range t.h {
		for x := range t.w {
			var rgb [3]float64
			for dy := range t.bh {
				at := ((y*t.bh+dy)*t.set.Width + x*t.bw) * 3
				for k, v := range pixels[at : at+3*t.bw] {
					rgb[k%3] += float64(v)
				}
			}
			r, g, b := scale*rgb[0], scale*rgb[1], scale*rgb[2]
			at := y*t.w + x
			t.z[at], t.z[area+at], t.z[2*area+at] = (r+g+b)/math.Sqrt(3), (r-g)/math.Sqrt2, (r+g-2*b)/math.Sqrt(6)
		}
	}
	for c := range 3 {
		plane := t.z[c*area : (c+1)*area]
		for y := range t.h {
			t.along(t.rows, plane[y*t.w:], 1)
		}
		for x := range t.w {
			t.along(t.columns, plane[x:], t.w)
		}
	}
	return t.z
}

// along replaces a line of values, so many steps apart, by its orthonormal cosine transform (the second kind).
func (t *transform) along(f *fourier.QuarterWaveFFT, values []float64, step int) {
	n := f.Len()
	line, out := t.line[:n], t.out[:n]
	for k := range line {
		line[k] = values[k*step]
	}
	f.CosSequence(out, line)
	for k, v := range out {
		scale := math.Sqrt(2/float64(n)) / 4
		if k == 0 {
			scale /= math.Sqrt2
		}
		values[k*step] = v * scale
	}
}

// eachLabel calls visit for every label, several at a time; what visit does for one does not depend on the others.
func (s *spectra) eachLabel(ctx context.Context, visit func(t *transform, class int)) error {
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(s.of)) {
		group.Go(func() {
			t := s.transform()
			for {
				c := int(next.Add(1)) - 1
				if c >= len(s.of) || ctx.Err() != nil {
					return
				}
				visit(t, c)
			}
		})
	}
	group.Wait()
	return ctx.Err()
}

func newSpectra(ctx context.Context, set *dataset.Set, seed uint64) (*spectra, error) {
	s := &spectra{set: set, of: make([][]int, len(set.Classes)), fold: make([]uint8, set.Len())}
	s.bh, s.bw = (set.Height+largestSide-1)/largestSide, (set.Width+largestSide-1)/largestSide
	s.h, s.w = set.Height/s.bh, set.Width/s.bw
	for i, l := range set.Labels {
		s.of[l] = append(s.of[l], i)
	}
	n := s.size()
	s.sums, s.count = make([][2][]float64, len(s.of)), make([][2]int, len(s.of))
	for c, images := range s.of {
		for k, j := range rng.Shuffle(seed, "pixels", len(images), c) {
			s.fold[images[j]] = uint8(k % 2)
			s.count[c][k%2]++
		}
	}
	squares := make([][]float64, len(s.of))
	err := s.eachLabel(ctx, func(t *transform, c int) {
		sums, square := [2][]float64{make([]float64, n), make([]float64, n)}, make([]float64, n)
		for _, i := range s.of[c] {
			z := t.image(i)
			floats.Add(sums[s.fold[i]], z)
			for k, v := range z {
				square[k] += v * v
			}
		}
		if m := float64(len(s.of[c])); m > 0 { // around the label's mean
			for k := range square {
				sum := sums[0][k] + sums[1][k]
				square[k] -= sum * sum / m
			}
		}
		s.sums[c], squares[c] = sums, square
	})
	if err != nil {
		return nil, err
	}
	s.total, s.variance = [2][]float64{make([]float64, n), make([]float64, n)}, make([]float64, n)
	for c := range s.of {
		for f := range 2 {
			floats.Add(s.total[f], s.sums[c][f])
			s.all[f] += s.count[c][f]
		}
		floats.Add(s.variance, squares[c])
	}
	for k := range s.variance {
		s.variance[k] = s.variance[k]/float64(set.Len()) + grain*grain
	}
	return s, nil
}

// direction is where the mean of a label lies from that of the rest, as one fold sees it.
type direction struct {
	weight []float64
	zero   float64 // what the mean of the rest has along it
}

func (d direction) of(z []float64) float64 { return floats.Dot(d.weight, z) - d.zero }

// directions returns a label's for the images of each fold, learnt on the other one.
func (s *spectra) directions(class int) [2]direction {
	var ds [2]direction
	for f := range ds {
		other := 1 - f
		n, rest := float64(s.count[class][other]), float64(s.all[other]-s.count[class][other])
		d := direction{weight: make([]float64, s.size())}
		norm := 0.0
		for k, sum := range s.sums[class][other] {
			mean := (s.total[other][k] - sum) / rest
			v := sum/n - mean
			norm += v * v / s.variance[k]
			d.weight[k] = v / s.variance[k]
			d.zero += mean * d.weight[k]
		}
		norm = math.Sqrt(max(norm, math.SmallestNonzeroFloat64))
		floats.Scale(1/norm, d.weight)
		d.zero /= norm
		ds[f] = d
	}
	return ds
}

// kind is one of the two that a label's images are parted in: how many of them, and where they lie.
type kind struct{ n, mean, deviation float64 }

// to is the distance to a kind that lies above, in deviations of the wider one.
func (k kind) to(upper kind) float64 {
	return (upper.mean - k.mean) / max(k.deviation, upper.deviation, leastApart)
}

// beyond returns the values' probabilities of being of the upper of two kinds that were parted at middle.
func beyond(values []float64, middle float64) []float64 {
	p := make([]float64, len(values))
	for k, v := range values {
		p[k] = float64(bit(v > middle))
	}
	return sorted(values, p)
}

// parted parts values where the sum of squares around the two means is the smallest, but for fewer than least of a kind. It
// returns the place between the means; ok is false where there are too few values.
func parted(values []float64, least int) (lower, upper kind, middle float64, ok bool) {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	sum, square := make([]float64, n+1), make([]float64, n+1)
	for k, x := range v {
		sum[k+1], square[k+1] = sum[k]+x, square[k]+x*x
	}
	of := func(from, to int) kind {
		m := float64(to - from)
		mean := (sum[to] - sum[from]) / m
		return kind{m, mean, math.Sqrt(max(0, (square[to]-square[from])/m-mean*mean))}
	}
	best := math.Inf(1)
	for k := least; k <= n-least; k++ {
		a, b := of(0, k), of(k, n)
		if within := a.n*a.deviation*a.deviation + b.n*b.deviation*b.deviation; within < best {
			best, lower, upper, ok = within, a, b, true
		}
	}
	return lower, upper, (lower.mean + upper.mean) / 2, ok
}

// pixels looks for patterns that are the same in many images of a label. It returns what was seen of the label whose two
// kinds lie furthest apart and of those that hold a pattern, and puts each of their images' probability of carrying it into
// found.
func (d *detector) pixels(ctx context.Context, s *spectra, found []float32) ([]defense.Target, error) {
	set := s.set
	along := make([][]float64, len(s.of)) // each image's place
	targets, middles := make([]defense.Target, len(s.of)), make([]float64, len(s.of))
	err := s.eachLabel(ctx, func(t *transform, c int) {
		images := s.of[c]
		if len(images) < 2*fewest || s.all[0] == s.count[c][0] || s.all[1] == s.count[c][1] {
			return
		}
		ds := s.directions(c)
		along[c] = make([]float64, len(images))
		for k, i := range images {
			along[c][k] = ds[s.fold[i]].of(t.image(i))
		}
		lower, upper, middle, ok := parted(along[c], fewest)
		if !ok {
			return
		}
		targets[c] = defense.Target{
			Class: set.Classes[c], Index: c, By: defense.ByPixels, Images: len(images), Others: set.Len() - len(images), Flagged: int(upper.n),
			Distance: lower.to(upper),
		}
		middles[c] = middle
	})
	if err != nil {
		return nil, err
	}
	var seen []defense.Target
	furthest := -1
	for c := range targets {
		t := &targets[c]
		if t.Distance > 0 && (furthest < 0 || t.Distance > targets[furthest].Distance) {
			furthest = c
		}
		if t.Distance < pattern {
			continue
		}
		if err := s.measure(ctx, t, along[c], middles[c]); err != nil {
			return nil, err
		}
		p := beyond(along[c], middles[c])
		carries := slices.Clone(found)
		for k, i := range s.of[c] {
			carries[i] = float32(p[k])
		}
		tally(t, s.of[c], carries)
		t.Says = says(t)
		if t.Says == defense.Poisoned {
			copy(found, carries)
		}
		d.r.Note("%s: %s, a pattern in %d of %d images, %.2f from the rest, %d in between; %d of %d under other labels carry it; they vary %.2f times as the rest",
			t.Class, t.Says, t.Flagged, t.Images, t.Distance, t.Between, t.Leak, t.Others, t.Spread)
		seen = append(seen, *t)
	}
	if len(seen) == 0 && furthest >= 0 {
		t := targets[furthest]
		t.Says = says(&t)
		seen = append(seen, t)
	}
	return seen, nil
}

// measure counts the images under other labels that lie beyond the middle along a label's direction, and compares how much
// those of the label that do vary with how much the others do. along holds the places of the label's images.
func (s *spectra) measure(ctx context.Context, target *defense.Target, along []float64, middle float64) error {
	ds := s.directions(target.Index)
	leaks := make([]int, len(s.of))
	err := s.eachLabel(ctx, func(t *transform, c int) {
		if c == target.Index {
			target.Spread = t.spread(s.of[c], along, middle)
			return
		}
		for _, i := range s.of[c] {
			leaks[c] += bit(ds[s.fold[i]].of(t.image(i)) > middle)
		}
	})
	for _, l := range leaks {
		target.Leak += l
	}
	return err
}

// spread is the variation of the images beyond the middle, as a share of that of the others.
func (t *transform) spread(images []int, along []float64, middle float64) float64 {
	var sums, squares [2][]float64
	for side := range sums {
		sums[side], squares[side] = make([]float64, t.size()), make([]float64, t.size())
	}
	var count, variation [2]float64
	for k, i := range images {
		z, side := t.image(i), bit(along[k] > middle)
		count[side]++
		floats.Add(sums[side], z)
		for j, v := range z {
			squares[side][j] += v * v
		}
	}
	for side := range variation {
		for j, v := range t.variance {
			mean := sums[side][j] / count[side]
			variation[side] += max(0, squares[side][j]/count[side]-mean*mean) / v
		}
	}
	return variation[1] / max(variation[0], math.SmallestNonzeroFloat64)
}
