package stat

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

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

// Pictures are labelled images, of Height × Width pixels.
type Pictures struct {
	Height, Width int
	Labels        []int32
	Classes       int
	At            func(i int) []uint8 // the image's pixels, [height, width, 3]
	// Fewest is how many images a label has at least whose Directions are asked for.
	Fewest int
	// Part is how many images are summed at a time, in order, before the parts' sums are summed; 0: PartSize.
	Part int
	// Sums returns the sums of the parts by a half for each image, made elsewhere, one after the other; nil: they are made here.
	Sums func(ctx context.Context, fold []uint8, visit func(part []LabelSums) error) error
}

// Spectra are the images' whitened coefficients, computed anew whenever they are asked for: they would fill the memory.
type Spectra struct {
	Of     [][]int // the images of each label
	Fold   []uint8 // of each image, 0 or 1
	images Pictures
	h, w   int // of what is looked at
	bh, bw int // how many of an image's pixels, down and across, make one of it
	// Sums of the coefficients, of each label with enough images and each fold, and of each fold; the variance within labels.
	sums     [][2][]float64
	total    [2][]float64
	count    [][2]int
	all      [2]int
	variance []float64
}

// Transform computes an image's coefficients; each worker has its own.
type Transform struct {
	*Spectra
	rows, columns blas64.General // cosines [frequency, place] of a line across and of one down
	half, z       []float64
}

// Size is how many coefficients an image has.
func (s *Spectra) Size() int { return 3 * s.h * s.w }

// Transform returns one for a worker.
func (s *Spectra) Transform() *Transform {
	return &Transform{s, cosines(s.w), cosines(s.h), make([]float64, s.h*s.w), make([]float64, s.Size())}
}

// cosines is the orthonormal cosine transform (the second kind) of n values.
func cosines(n int) blas64.General {
	m := matrix(n, n, make([]float64, n*n))
	for i := range m.Data {
		k, x := i/n, i%n
		m.Data[i] = math.Sqrt(2/float64(n)) * math.Cos(math.Pi*(float64(x)+0.5)*float64(k)/float64(n))
		if k == 0 {
			m.Data[i] /= math.Sqrt2
		}
	}
	return m
}

func matrix(rows, columns int, values []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: values}
}

// Image fills z with the coefficients of an image: of its luminance, red against green, and both against blue, from 0 to 1,
// each [h, w], low frequencies first.
func (t *Transform) Image(i int) []float64 {
	pixels, area := t.images.At(i), t.h*t.w
	for y := range t.h {
		high := min(t.bh, t.images.Height-y*t.bh) // fewer at the edge
		for x := range t.w {
			wide := min(t.bw, t.images.Width-x*t.bw)
			scale := 1 / (255 * float64(high*wide))
			var rgb [3]float64
			for dy := range high {
				at := ((y*t.bh+dy)*t.images.Width + x*t.bw) * 3
				for k, v := range pixels[at : at+3*wide] {
					rgb[k%3] += float64(v)
				}
			}
			r, g, b := scale*rgb[0], scale*rgb[1], scale*rgb[2]
			at := y*t.w + x
			t.z[at], t.z[area+at], t.z[2*area+at] = (r+g+b)/math.Sqrt(3), (r-g)/math.Sqrt2, (r+g-2*b)/math.Sqrt(6)
		}
	}
	for c := range 3 {
		plane, half := matrix(t.h, t.w, t.z[c*area:(c+1)*area]), matrix(t.h, t.w, t.half)
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, plane, t.rows, 0, half)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, t.columns, half, 0, plane)
	}
	return t.z
}

// EachLabel calls visit for every label, several at a time; what visit does for one does not depend on the others.
func (s *Spectra) EachLabel(ctx context.Context, visit func(t *Transform, class int)) error {
	var next atomic.Int64
	together(min(runtime.GOMAXPROCS(0), len(s.Of)), func(int) {
		t := s.Transform()
		for {
			c := int(next.Add(1)) - 1
			if c >= len(s.Of) || ctx.Err() != nil {
				return
			}
			visit(t, c)
		}
	})
	return ctx.Err()
}

// parted sorts images by their labels.
func parted(set Pictures) *Spectra {
	s := &Spectra{images: set, Of: make([][]int, set.Classes), Fold: make([]uint8, len(set.Labels))}
	s.bh, s.bw = (set.Height+largestSide-1)/largestSide, (set.Width+largestSide-1)/largestSide
	s.h, s.w = (set.Height+s.bh-1)/s.bh, (set.Width+s.bw-1)/s.bw
	for i, l := range set.Labels {
		s.Of[l] = append(s.Of[l], i)
	}
	return s
}

// NewSpectra computes what the images' coefficients have in common; the seed halves each label's images.
func NewSpectra(ctx context.Context, set Pictures, seed uint64) (*Spectra, error) {
	s := parted(set)
	s.sums, s.count = make([][2][]float64, len(s.Of)), make([][2]int, len(s.Of))
	for c, images := range s.Of {
		for k, j := range rng.Shuffle(seed, "pixels", len(images), c) {
			s.Fold[images[j]] = uint8(k % 2)
			s.count[c][k%2]++
		}
	}
	n := s.Size()
	s.total, s.variance = [2][]float64{make([]float64, n), make([]float64, n)}, make([]float64, n)
	if err := s.sumLabels(ctx); err != nil {
		return nil, err
	}
	for k := range s.variance {
		s.variance[k] = s.variance[k]/float64(len(s.Fold)) + grain*grain
	}
	return s, nil
}

// sumLabels sums each label's coefficients, part by part, and joins the sums in the order of the labels.
func (s *Spectra) sumLabels(ctx context.Context) error {
	if s.images.Sums != nil {
		labels := make([]LabelSums, len(s.Of))
		for c := range labels {
			labels[c] = newLabelSums(c, s.Size())
		}
		err := s.images.Sums(ctx, s.Fold, func(part []LabelSums) error {
			for _, own := range part {
				if own.Label < 0 || own.Label >= len(labels) || !own.of(s.Size()) {
					return fmt.Errorf("sums of label %d that are none of these images", own.Label)
				}
				labels[own.Label].add(own)
			}
			return nil
		})
		for _, own := range labels {
			s.join(own)
		}
		return err
	}
	size := cmp.Or(s.images.Part, PartSize)
	var joining sync.Mutex
	waiting, next := map[int]LabelSums{}, 0 // those done before an earlier label
	return s.EachLabel(ctx, func(t *Transform, c int) {
		own := newLabelSums(c, s.Size())
		for images := s.Of[c]; len(images) > 0; {
			end := (images[0]/size + 1) * size
			n := sort.SearchInts(images, end)
			own.add(t.sum(c, images[:n]))
			images = images[n:]
		}
		joining.Lock()
		defer joining.Unlock()
		waiting[c] = own
		for {
			own, done := waiting[next]
			if !done {
				return
			}
			delete(waiting, next)
			s.join(own)
			next++
		}
	})
}

// join adds a label's sums to the means and the variance.
func (s *Spectra) join(own LabelSums) {
	c := own.Label
	if m := float64(len(s.Of[c])); m > 0 { // around the label's mean
		for k := range own.Squares {
			sum := own.Folds[0][k] + own.Folds[1][k]
			own.Squares[k] -= sum * sum / m
		}
	}
	for f := range 2 {
		floats.Add(s.total[f], own.Folds[f])
		s.all[f] += s.count[c][f]
	}
	floats.Add(s.variance, own.Squares)
	if len(s.Of[c]) >= s.images.Fewest {
		s.sums[c] = own.Folds
	}
}
