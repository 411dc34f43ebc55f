package detect

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// rows copies the rows of some of n images out of features [n, width].
func rows(features []float32, n int, images []int) *mat.Dense {
	width := len(features) / n
	m := mat.NewDense(len(images), width, nil)
	for k, i := range images {
		to := m.RawRowView(k)
		for j := range to {
			to[j] = float64(features[i*width+j])
		}
	}
	return m
}

// centre takes the mean row off a matrix, in place, and returns it.
func centre(m *mat.Dense) []float64 {
	n, width := m.Dims()
	mean := make([]float64, width)
	for i := range n {
		for j, v := range m.RawRowView(i) {
			mean[j] += v / float64(n)
		}
	}
	for i := range n {
		row := m.RawRowView(i)
		for j := range row {
			row[j] -= mean[j]
		}
	}
	return mean
}

// principal projects centred rows onto their first k principal directions, or as many as there are: [rows, k]. The sign of a
// direction is such that its largest component is positive.
func principal(m *mat.Dense, k int) *mat.Dense {
	n, width := m.Dims()
	k = min(k, n, width)
	var cov mat.SymDense
	cov.SymOuterK(1, m.T())
	var e mat.EigenSym
	out := mat.NewDense(n, k, nil)
	if !e.Factorize(&cov, true) {
		return out
	}
	var all mat.Dense
	e.VectorsTo(&all) // values ascend
	first := mat.NewDense(width, k, nil)
	for c := range k {
		v := mat.Col(nil, width-1-c, &all)
		largest := 0
		for j := range v {
			if math.Abs(v[j]) > math.Abs(v[largest]) {
				largest = j
			}
		}
		sign := math.Copysign(1, v[largest])
		for j := range v {
			first.Set(j, c, sign*v[j])
		}
	}
	out.Mul(m, first)
	return out
}

// distance2 is the squared Euclidean distance.
func distance2(a, b []float64) float64 {
	sum := 0.0
	for j := range a {
		d := a[j] - b[j]
		sum += d * d
	}
	return sum
}

// means returns the mean rows of the two sides, and how many rows each has.
func means(m *mat.Dense, side []bool) (mean [2][]float64, n [2]int) {
	_, width := m.Dims()
	mean[0], mean[1] = make([]float64, width), make([]float64, width)
	for i, s := range side {
		k := 0
		if s {
			k = 1
		}
		n[k]++
		for j, v := range m.RawRowView(i) {
			mean[k][j] += v
		}
	}
	for k := range mean {
		for j := range mean[k] {
			mean[k][j] /= float64(max(1, n[k]))
		}
	}
	return mean, n
}
