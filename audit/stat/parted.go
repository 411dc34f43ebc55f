package stat

import (
	"math"
	"slices"
)

// Kind is one of the two that a label's images are parted in: how many of them, and where they lie.
type Kind struct{ N, Mean, Deviation float64 }

// To is the distance to a kind that lies above, in deviations of the wider one.
func (k Kind) To(upper Kind) float64 {
	return (upper.Mean - k.Mean) / max(k.Deviation, upper.Deviation, leastApart)
}

// Beyond returns the values' probabilities of being of the upper of two kinds that were parted at middle.
func Beyond(values []float64, middle float64) []float64 {
	p := make([]float64, len(values))
	for k, v := range values {
		p[k] = float64(Bit(v > middle))
	}
	return Sides(values, p)
}

// Parted parts values where the sum of squares around the two means is the smallest, but for fewer than least of a kind. It
// returns the place between the means; ok is false where there are too few values.
func Parted(values []float64, least int) (lower, upper Kind, middle float64, ok bool) {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	sum, square := make([]float64, n+1), make([]float64, n+1)
	for k, x := range v {
		sum[k+1], square[k+1] = sum[k]+x, square[k]+x*x
	}
	of := func(from, to int) Kind {
		m := float64(to - from)
		mean := (sum[to] - sum[from]) / m
		return Kind{m, mean, math.Sqrt(max(0, (square[to]-square[from])/m-mean*mean))}
	}
	best := math.Inf(1)
	for k := least; k <= n-least; k++ {
		a, b := of(0, k), of(k, n)
		if within := a.N*a.Deviation*a.Deviation + b.N*b.Deviation*b.Deviation; within < best {
			best, lower, upper, ok = within, a, b, true
		}
	}
	return lower, upper, (lower.Mean + upper.Mean) / 2, ok
}
