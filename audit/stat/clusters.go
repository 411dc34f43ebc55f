package stat

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// clusterRounds bounds the rounds of k-means, which mostly ends before.
const clusterRounds = 50

// Clusters parts rows, all of one width, into at most k clusters by k-means (Lloyd, "Least squares quantization in PCM", 1982) from
// centres that are drawn far apart (Arthur and Vassilvitskii, "k-means++", 2007). It returns the number of each row's cluster, from 0 to k−1.
func Clusters(rows [][]float64, k int, r *rand.Rand) []int {
	in := make([]int, len(rows))
	centres := firstCentres(rows, k, r)
	for range clusterRounds {
		changed := false
		sums, counts := make([][]float64, len(centres)), make([]int, len(centres))
		for i, row := range rows {
			best, least := 0, math.Inf(1)
			for m, centre := range centres {
				if d := floats.Distance(row, centre, 2); d < least {
					best, least = m, d
				}
			}
			changed = changed || in[i] != best
			in[i] = best
			if sums[best] == nil {
				sums[best] = make([]float64, len(row))
			}
			floats.Add(sums[best], row)
			counts[best]++
		}
		if !changed {
			break
		}
		for m, sum := range sums {
			if sum != nil {
				floats.ScaleTo(centres[m], 1/float64(counts[m]), sum)
			}
		}
	}
	return in
}

// firstCentres draws rows, each with a probability as the square of its distance from the nearest centre drawn before. There are
// fewer where rows are the same.
func firstCentres(rows [][]float64, k int, r *rand.Rand) (centres [][]float64) {
	far := make([]float64, len(rows))
	for i := range far {
		far[i] = 1
	}
	for len(centres) < k {
		sums := floats.CumSum(make([]float64, len(far)), far)
		if len(sums) == 0 || !(sums[len(sums)-1] > 0) {
			break
		}
		u := r.Float64() * sums[len(sums)-1]
		drawn := slices.IndexFunc(sums, func(s float64) bool { return s > u })
		centre := slices.Clone(rows[drawn])
		centres = append(centres, centre)
		for i, row := range rows {
			d := floats.Distance(row, centre, 2)
			if d *= d; len(centres) == 1 || d < far[i] {
				far[i] = d
			}
		}
	}
	return centres
}
