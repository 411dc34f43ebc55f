package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	emSteps    = 60
	leastGroup = 5    // images
	settled    = 1e-3 // change of a probability
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
	return sides(values, p)
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

// sides fits two Gaussians, each of its own variation, to values from the probabilities p of being in the upper one. It
// returns better ones: planted images often vary more than honest ones, or less. Below the lower mean an image is surely
// out and above the upper one surely in, whatever the tails of the wider Gaussian say.
func sides(values, p []float64) []float64 {
	q := slices.Clone(p)
	for range emSteps {
		out := make([]float64, len(q))
		for k := range q {
			out[k] = 1 - q[k]
		}
		weight := [2]float64{floats.Sum(out), floats.Sum(q)}
		if min(weight[0], weight[1]) < leastGroup {
			return p
		}
		var law [2]distuv.Normal
		for side, w := range [2][]float64{out, q} {
			mean, deviation := stat.PopMeanStdDev(values, w)
			law[side] = distuv.Normal{Mu: mean, Sigma: deviation}
		}
		if law[0].Sigma <= 0 || law[1].Sigma <= 0 || law[0].Mu >= law[1].Mu {
			return p
		}
		change := 0.0
		for k, v := range values {
			odds := math.Log(weight[0]) + law[0].LogProb(v) - math.Log(weight[1]) - law[1].LogProb(v)
			r := 1 / (1 + math.Exp(odds))
			switch {
			case v < law[0].Mu:
				r = 0
			case v > law[1].Mu:
				r = 1
			}
			change = max(change, math.Abs(r-q[k]))
			q[k] = r
		}
		if change < settled {
			break
		}
	}
	return q
}
