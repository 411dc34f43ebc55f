package stat

import (
	"context"

	"gonum.org/v1/gonum/floats"
)

// PartSize is how many images, in their order, are summed before the parts' sums are summed, so that many machines that have a
// part each come to the same bytes as one.
const PartSize = 5000

// LabelSums are sums of a label's coefficients over some images: of those in each half, and of all squares.
type LabelSums struct {
	Label   int
	Folds   [2][]float64
	Squares []float64
}

func newLabelSums(label, size int) LabelSums {
	return LabelSums{label, [2][]float64{make([]float64, size), make([]float64, size)}, make([]float64, size)}
}

func (s LabelSums) of(size int) bool {
	return len(s.Folds[0]) == size && len(s.Folds[1]) == size && len(s.Squares) == size
}

// add adds those of other images.
func (s LabelSums) add(more LabelSums) {
	floats.Add(s.Folds[0], more.Folds[0])
	floats.Add(s.Folds[1], more.Folds[1])
	floats.Add(s.Squares, more.Squares)
}

// sum sums the coefficients of some images of a label.
func (t *Transform) sum(label int, images []int) LabelSums {
	s := newLabelSums(label, t.Size())
	for _, i := range images {
		z := t.Image(i)
		floats.Add(s.Folds[t.Fold[i]], z)
		for k, v := range z {
			s.Squares[k] += v * v
		}
	}
	return s
}

// PartSums returns the sums of the labels of a part of a set, whose images are in these halves. They are those that NewSpectra makes
// of the part.
func PartSums(ctx context.Context, part Pictures, fold []uint8) ([]LabelSums, error) {
	s := parted(part)
	copy(s.Fold, fold)
	all := make([]LabelSums, len(s.Of))
	if err := s.EachLabel(ctx, func(t *Transform, c int) {
		if len(s.Of[c]) > 0 {
			all[c] = t.sum(c, s.Of[c])
		}
	}); err != nil {
		return nil, err
	}
	there := all[:0]
	for _, one := range all {
		if one.Squares != nil {
			there = append(there, one)
		}
	}
	return there, nil
}
