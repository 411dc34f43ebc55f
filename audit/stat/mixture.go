package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// mixture fits Gaussians of unit variation to the rows of v by expectation and maximisation, from the probabilities p of
// being in each, which it improves. It stops where one has hardly an image.
func mixture(v *mat.Dense, p [][]float64) {
	rows, width := v.Dims()
	weight, means := make([]float64, len(p)), make([][]float64, len(p))
	l := make([]float64, len(p))
	for range emSteps {
		for j := range p {
			weight[j], means[j] = floats.Sum(p[j]), make([]float64, width)
			if weight[j] < leastGroup {
				return
			}
			for k, q := range p[j] {
				floats.AddScaled(means[j], q/weight[j], v.RawRowView(k))
			}
		}
		change := 0.0
		for k := range rows {
			for j := range p {
				d := floats.Distance(v.RawRowView(k), means[j], 2)
				l[j] = math.Log(weight[j]/float64(rows)) - d*d/2
			}
			all := floats.LogSumExp(l)
			for j := range p {
				q := math.Exp(l[j] - all)
				change = max(change, math.Abs(q-p[j][k]))
				p[j][k] = q
			}
		}
		if change < settled {
			return
		}
	}
}

// Sides fits two Gaussians, each of its own variation, to values from the probabilities p of being in the upper one. It
// returns better ones: planted images often vary more than honest ones, or less. Below the lower mean an image is surely
// out and above the upper one surely in, whatever the tails of the wider Gaussian say.
func Sides(values, p []float64) []float64 {
	if values == nil {
		return p
	}
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
