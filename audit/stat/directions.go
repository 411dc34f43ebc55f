package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Direction is where the mean of a label lies from that of the rest, as one fold sees it.
type Direction struct {
	weight []float64
	zero   float64 // what the mean of the rest has along it
}

// Of returns where the coefficients of an image lie along it.
func (d Direction) Of(z []float64) float64 { return floats.Dot(d.weight, z) - d.zero }

// Both tells whether each half has images of the label and of others.
func (s *Spectra) Both(class int) bool {
	return s.all[0] != s.count[class][0] && s.all[1] != s.count[class][1]
}

// Directions returns a label's for the images of each fold, learnt on the other one.
func (s *Spectra) Directions(class int) [2]Direction {
	var ds [2]Direction
	for f := range ds {
		other := 1 - f
		own, rest := slices.Clone(s.sums[class][other]), slices.Clone(s.total[other])
		floats.Sub(rest, own)
		floats.Scale(1/float64(s.count[class][other]), own)
		floats.Scale(1/float64(s.all[other]-s.count[class][other]), rest)
		ds[f] = s.direction(rest, own)
	}
	return ds
}

// direction is the one from a mean to another, of which both are lost.
func (s *Spectra) direction(from, to []float64) Direction {
	norm := 0.0
	floats.Sub(to, from)
	for k, v := range to {
		to[k] /= s.variance[k]
		norm += v * to[k]
	}
	floats.Scale(1/math.Sqrt(max(norm, math.SmallestNonzeroFloat64)), to)
	return Direction{to, floats.Dot(from, to)}
}

// Within returns the directions, for the images of each fold and learnt on the other one, from the mean of those of a label's images that
// are of its lower kind to that of those of its upper kind: what else tells the label from others is not in them. They are of the images
// along other directions, and of each one's probability of being of the upper kind. ok is false where a fold has fewer than least of a kind.
func (t *Transform) Within(images []int, p []float64, least int) (ds [2]Direction, along []float64, ok bool) {
	var mean [2][2][]float64 // by fold, lower and upper
	var weight [2][2]float64
	for f := range mean {
		mean[f] = [2][]float64{make([]float64, t.Size()), make([]float64, t.Size())}
	}
	for k, i := range images {
		z := t.Image(i)
		for kind, w := range [2]float64{1 - p[k], p[k]} {
			if w > 0 {
				floats.AddScaled(mean[t.Fold[i]][kind], w, z)
				weight[t.Fold[i]][kind] += w
			}
		}
	}
	for f := range ds {
		for kind, w := range weight[1-f] {
			if w < float64(least) {
				return ds, nil, false
			}
			floats.Scale(1/w, mean[1-f][kind])
		}
		ds[f] = t.direction(mean[1-f][0], mean[1-f][1])
	}
	along = t.Along(ds, images)
	t.centre(&ds, images, along)
	return ds, along, true
}

// Along returns where each image lies along its fold's direction.
func (t *Transform) Along(ds [2]Direction, images []int) []float64 {
	along := make([]float64, len(images))
	for k, i := range images {
		along[k] = ds[t.Fold[i]].Of(t.Image(i))
	}
	return along
}

// centre has the mean of each fold's images lie at 0: a fold's own chance is no kind.
func (t *Transform) centre(ds *[2]Direction, images []int, along []float64) {
	var sum, n [2]float64
	for k, i := range images {
		sum[t.Fold[i]] += along[k]
		n[t.Fold[i]]++
	}
	for f := range ds {
		ds[f].zero += sum[f] / n[f]
	}
	for k, i := range images {
		along[k] -= sum[t.Fold[i]] / n[t.Fold[i]]
	}
}

// Spread is the variation of the images beyond the middle, as a share of that of the others.
func (t *Transform) Spread(images []int, along []float64, middle float64) float64 {
	var sums, squares [2][]float64
	for side := range sums {
		sums[side], squares[side] = make([]float64, t.Size()), make([]float64, t.Size())
	}
	var count, variation [2]float64
	for k, i := range images {
		z, side := t.Image(i), Bit(along[k] > middle)
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
	return min(variation[1]/max(variation[0], math.SmallestNonzeroFloat64), math.MaxFloat32)
}
