package stat

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// whitening returns the map under which the rows of each part vary by one deviation in every direction, around the
// part's mean, [width, directions].
func whitening(x *mat.Dense, parts [][]int) *mat.Dense {
	_, width := x.Dims()
	sum := mat.NewSymDense(width, nil)
	n := 0
	for _, part := range parts {
		if len(part) < 2 {
			continue
		}
		rows := centred(x, part)
		var s mat.SymDense
		s.SymOuterK(1, rows.T())
		sum.AddSym(sum, &s)
		n += len(part) - 1
	}
	var e mat.EigenSym
	if n == 0 || !e.Factorize(sum, true) {
		return eye(width)
	}
	values := e.Values(nil) // ascending
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	first := max(0, width-max(1, n/imagesEach))
	for first < width-1 && values[first] <= flat*values[width-1] {
		first++
	}
	if values[width-1] <= 0 {
		return eye(width)
	}
	w := mat.NewDense(width, width-first, nil)
	for j := first; j < width; j++ {
		scale := math.Sqrt(float64(n) / values[j])
		for i := range width {
			w.Set(i, j-first, vectors.At(i, j)*scale)
		}
	}
	return w
}

func eye(n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n {
		m.Set(i, i, 1)
	}
	return m
}

// centred copies rows and takes their mean off.
func centred(x *mat.Dense, rows []int) *mat.Dense {
	_, width := x.Dims()
	out := mat.NewDense(len(rows), width, nil)
	mean := make([]float64, width)
	for _, i := range rows {
		for j, v := range x.RawRowView(i) {
			mean[j] += v / float64(len(rows))
		}
	}
	for k, i := range rows {
		to := out.RawRowView(k)
		for j, v := range x.RawRowView(i) {
			to[j] = v - mean[j]
		}
	}
	return out
}

// principal returns each row's place along the direction of the largest variation.
func principal(v *mat.Dense) []float64 {
	rows, width := v.Dims()
	var s mat.SymDense
	s.SymOuterK(1, v.T())
	var e mat.EigenSym
	along := make([]float64, rows)
	if !e.Factorize(&s, true) {
		return along
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	mat.NewVecDense(rows, along).MulVec(v, vectors.ColView(width-1))
	return along
}
