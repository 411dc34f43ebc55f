package stat

import (
	"math"

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
		n, rest := float64(s.count[class][other]), float64(s.all[other]-s.count[class][other])
		d := Direction{weight: make([]float64, s.Size())}
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
