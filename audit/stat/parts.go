package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Scatter is how rows of features vary about the means of their groups: sums of squares and products, of which others can be taken
// away.
type Scatter struct {
	sum *mat.SymDense
	n   float64
}

// NewScatter is that of one group, nil: of none of a width.
func NewScatter(rows [][]float64, width int) Scatter {
	s := Scatter{mat.NewSymDense(width, nil), float64(len(rows))}
	if len(rows) < 2 {
		return s
	}
	stat.CovarianceMatrix(s.sum, dense(rows, width), nil)
	s.sum.ScaleSym(s.n-1, s.sum)
	return s
}

// Add adds another one.
func (s *Scatter) Add(o Scatter) {
	s.sum.AddSym(s.sum, o.sum)
	s.n += o.n
}

// Without returns it without one of its groups.
func (s Scatter) Without(o Scatter) Scatter {
	less := mat.NewSymDense(s.sum.SymmetricDim(), nil)
	less.ScaleSym(-1, o.sum)
	less.AddSym(s.sum, less)
	return Scatter{less, s.n - o.n}
}

const (
	leastVariance = 1e-3 // added to every feature's, as a share of the mean one: some features are always the same
	partRounds    = 100  // of two-means, which mostly ends before
)

// Parts parts rows in two, true: the one, by two-means (Lloyd, "Least squares quantization in PCM", 1982) in the metric in which groups
// of a scatter vary equally in all directions (Mahalanobis, 1936), from the halves on both sides of the mean along the direction in
// which the rows vary most. All are of one part where there is no such metric, or a row is not finite.
func (s Scatter) Parts(rows [][]float64) []bool {
	width := s.sum.SymmetricDim()
	one := make([]bool, len(rows))
	ridge := leastVariance * mat.Trace(s.sum) / float64(width)
	about := mat.NewSymDense(width, nil)
	about.CopySym(s.sum)
	for k := range width {
		about.SetSym(k, k, about.At(k, k)+ridge)
	}
	var root mat.Cholesky
	if len(rows) < 2 || s.n < 2 || !root.Factorize(about) {
		return one
	}
	var lower mat.TriDense
	root.LTo(&lower)
	var even mat.Dense
	if err := even.Solve(&lower, dense(rows, width).T()); err != nil { // too near to singular
		return one
	}
	var pc stat.PC
	whitened := mat.DenseCopyOf(even.T())
	if sum := mat.Sum(whitened); math.IsNaN(sum) || math.IsInf(sum, 0) || !pc.PrincipalComponents(whitened, nil) {
		return one
	}
	var directions mat.Dense
	pc.VectorsTo(&directions)
	most := mat.Col(nil, 0, &directions)
	along := make([]float64, len(rows))
	for i := range rows {
		along[i] = floats.Dot(whitened.RawRowView(i), most)
	}
	mean := stat.Mean(along, nil)
	for i, v := range along {
		one[i] = v > mean
	}
	return twoMeans(whitened, one)
}

// twoMeans moves rows to the nearer of two means until none moves.
func twoMeans(rows *mat.Dense, one []bool) []bool {
	_, width := rows.Dims()
	for range partRounds {
		var means [2][]float64
		var n [2]float64
		for k := range means {
			means[k] = make([]float64, width)
		}
		for i, is := range one {
			floats.Add(means[Bit(is)], rows.RawRowView(i))
			n[Bit(is)]++
		}
		if n[0] == 0 || n[1] == 0 {
			break
		}
		for k := range means {
			floats.Scale(1/n[k], means[k])
		}
		before := slices.Clone(one)
		for i := range one {
			row := rows.RawRowView(i)
			one[i] = floats.Distance(row, means[1], 2) < floats.Distance(row, means[0], 2)
		}
		if slices.Equal(one, before) {
			break
		}
	}
	return one
}

// dense puts rows of a width one below the other.
func dense(rows [][]float64, width int) *mat.Dense {
	return mat.NewDense(len(rows), width, slices.Concat(rows...))
}

// Information is the mutual information, in nats, of rows and classes, by each row's probabilities, which need not sum to 1: the entropy
// of their mean less their mean entropy. Rows without any probability say nothing; 0 for none.
func Information(rows func(visit func(p []float64))) float64 {
	var mean []float64
	within, n := 0.0, 0.0
	rows(func(p []float64) {
		sum := floats.Sum(p)
		if !(sum > 0) {
			return
		}
		if mean == nil {
			mean = make([]float64, len(p))
		}
		q := make([]float64, len(p))
		floats.ScaleTo(q, 1/sum, p)
		within += stat.Entropy(q)
		floats.Add(mean, q)
		n++
	})
	if n == 0 {
		return 0
	}
	floats.Scale(1/n, mean)
	return math.Max(0, stat.Entropy(mean)-within/n)
}
