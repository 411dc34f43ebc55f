package detect

import (
	"context"
	"math"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
)

// Beatrix compares the Gram matrices of the last convolution's maps, of several powers, with those of clean images of the
// label. More than 64 channels are averaged in groups. An image is flagged above the 95th percentile of the clean images'
// deviations.
type Beatrix struct{}

// Name implements Detector.
func (Beatrix) Name() string { return "beatrix" }

// Paper implements Detector.
func (Beatrix) Paper() string {
	return "Ma et al., The Beatrix Resurrections: Robust Backdoor Detection via Gram Matrices, NDSS 2023"
}

// Needs implements Detector.
func (Beatrix) Needs() Need { return Clean }

const (
	beatrixChannels = 64
	beatrixOrders   = 9    // powers 1 to 9
	beatrixMADs     = 10   // half the width of the interval in which an entry is usual
	beatrixTrusted  = 0.95 // of the clean images stay unflagged
	beatrixFewest   = 5    // clean images of a label
	beatrixParts    = 5    // that clean images are left out in
)

// Detect implements Detector. A score is the sum over the entries of how far they lie outside of the usual interval, as a share
// of its bound.
func (d Beatrix) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, true, true); err != nil {
		return nil, err
	}
	out := newOutput(in.Data.Len())
	ofClean, of := byLabel(in.Clean), byLabel(in.Data)
	for c, images := range of {
		if c >= len(ofClean) || len(ofClean[c]) < beatrixFewest || len(images) == 0 {
			continue
		}
		var clean [][]float32
		err := in.grams(ctx, in.Clean.View(ofClean[c]), func(_ int, g []float32) { clean = append(clean, slices.Clone(g)) })
		if err != nil {
			return nil, err
		}
		lo, hi := usualGram(clean)
		limit := quantile(leftOut(clean), beatrixTrusted)
		err = in.grams(ctx, in.Data.View(images), func(k int, g []float32) {
			out.Scores[images[k]] = outside(g, lo, hi)
			out.Flagged[images[k]] = out.Scores[images[k]] > limit
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// leftOut returns how far each of some images lies outside of what is usual among the others, a part of the images at a time, as the
// authors' code does: intervals fit those that they are of.
func leftOut(clean [][]float32) []float64 {
	out := make([]float64, len(clean))
	for part := range beatrixParts {
		var rest [][]float32
		for k, g := range clean {
			if k%beatrixParts != part {
				rest = append(rest, g)
			}
		}
		lo, hi := usualGram(rest)
		for k := part; k < len(clean); k += beatrixParts {
			out[k] = outside(clean[k], lo, hi)
		}
	}
	return out
}

// grams calls visit with each image's Gram matrices; the slice is reused.
func (in *Input) grams(ctx context.Context, set *dataset.Set, visit func(k int, g []float32)) error {
	channels := len(in.Features) / in.Data.Len() // the features are the maps' means
	fold := (channels + beatrixChannels - 1) / beatrixChannels
	var g []float32
	return evaluate.Tap(ctx, in.Backend, in.Network, in.State, set, "lastconv", func(k int, maps []float32) {
		g = gram(folded(maps, channels, fold), (channels+fold-1)/fold, g[:0])
		visit(k, g)
	})
}

// folded averages neighbouring channels, fold of them each, of maps [places, channels]. What is below 0 counts as 0, as behind an activation.
func folded(maps []float32, channels, fold int) []float32 {
	if fold == 1 {
		return maps
	}
	width := (channels + fold - 1) / fold
	out := make([]float32, len(maps)/channels*width)
	for at := 0; at*channels < len(maps); at++ {
		for j, v := range maps[at*channels : (at+1)*channels] {
			out[at*width+j/fold] += max(0, v) / float32(fold)
		}
	}
	return out
}

// gram appends, for each power p, the upper triangle of (Σ over places of fᵖ·fᵖᵀ)^(1/p), f [places, width] (equation 4).
func gram(f []float32, width int, out []float32) []float32 {
	power := make([]float64, len(f))
	for i := range power {
		power[i] = 1
	}
	sums := make([]float64, width*width)
	for p := 1; p <= beatrixOrders; p++ {
		for i, v := range f {
			power[i] *= float64(max(0, v))
		}
		clear(sums)
		for at := 0; at < len(f); at += width {
			row := power[at : at+width]
			for a, x := range row {
				if x == 0 {
					continue
				}
				to := sums[a*width : (a+1)*width]
				for b := a; b < width; b++ {
					to[b] += x * row[b]
				}
			}
		}
		for a := range width {
			for b := a; b < width; b++ {
				out = append(out, float32(math.Pow(sums[a*width+b], 1/float64(p))))
			}
		}
	}
	return out
}

// usualGram returns the interval of each entry, median ± 10 MAD over some images.
func usualGram(all [][]float32) (lo, hi []float64) {
	lo, hi = make([]float64, len(all[0])), make([]float64, len(all[0]))
	column, away := make([]float64, len(all)), make([]float64, len(all))
	for e := range lo {
		for k := range all {
			column[k] = float64(all[k][e])
		}
		mid := quantile(column, 0.5)
		for k, v := range column {
			away[k] = math.Abs(v - mid)
		}
		mad := quantile(away, 0.5)
		lo[e], hi[e] = mid-beatrixMADs*mad, mid+beatrixMADs*mad
	}
	return lo, hi
}

// outside sums by how much entries leave their intervals, relative to the bound that they pass.
func outside(g []float32, lo, hi []float64) float64 {
	sum := 0.0
	for e, v := range g {
		switch x := float64(v); {
		case x < lo[e]:
			sum += (lo[e] - x) / max(math.Abs(lo[e]), 1e-6)
		case x > hi[e]:
			sum += (x - hi[e]) / max(math.Abs(hi[e]), 1e-6)
		}
	}
	return sum
}
