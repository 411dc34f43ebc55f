package stat

import (
	"cmp"
	"math"
	"slices"
)

// Logistic is the probability of log odds, Logit the log odds of a probability, kept from infinity.
func Logistic(odds float64) float64 { return 1 / (1 + math.Exp(-odds)) }

// Logit is the inverse of Logistic.
func Logit(p float64) float64 {
	p = min(max(p, 1e-6), 1-1e-6)
	return math.Log(p) - math.Log1p(-p)
}

// Ranked is a value of which one wants to know whether the marked ones lie above the others, and how much it counts.
type Ranked struct {
	At     float64
	Marked bool
	Weight float64
}

// Above is the probability that a marked value lies above one that is not, each drawn by its weight, ties counting half and what is no
// number lying lowest: the area under the ROC curve, 0.5 where there are none of a kind; and by how many deviations it lies above 0.5, of
// what it varies by where the marks mean nothing (Mann and Whitney, 1947, for large samples, without their correction for ties): where
// values are drawn alike, each one's rank is uniform from 0 to 1, of the variance 1/12.
func Above(all []Ranked) (share, deviations float64) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Ranked) int { return cmp.Compare(a.At, b.At) })
	var sum, squares [2]float64 // of the weights of others, and of marked ones
	pairs := 0.0
	for k := 0; k < len(all); {
		var at [2]float64
		for value := all[k].At; k < len(all) && cmp.Compare(all[k].At, value) == 0; k++ {
			m, w := Bit(all[k].Marked), all[k].Weight
			at[m] += w
			squares[m] += w * w
		}
		pairs += at[1] * (sum[0] + at[0]/2)
		sum[0], sum[1] = sum[0]+at[0], sum[1]+at[1]
	}
	if sum[0] <= 0 || sum[1] <= 0 {
		return 0.5, 0
	}
	share = pairs / (sum[0] * sum[1])
	return share, (share - 0.5) / math.Sqrt((squares[0]/(sum[0]*sum[0])+squares[1]/(sum[1]*sum[1]))/12)
}

// LogisticFit is a logistic regression on one number.
type LogisticFit struct {
	Intercept, Slope float64
	prior            float64 // log odds of the sample
}

const (
	fitSteps = 100
	fitRidge = 1e-3 // on the slope
)

// FitLogistic fits the probability y, from 0 to 1, of each x by Newton's method: P = Logistic(a + b·x) with b at least 0.
func FitLogistic(x, y []float64) LogisticFit {
	f := LogisticFit{}
	sum := 0.0
	for _, v := range y {
		sum += v
	}
	f.prior = Logit(sum / float64(max(1, len(y))))
	f.Intercept = f.prior
	for range fitSteps {
		g0, g1, h00, h01, h11 := 0.0, fitRidge*f.Slope, 1e-9, 0.0, fitRidge
		for k, v := range x {
			p := Logistic(f.Intercept + f.Slope*v)
			d, w := p-y[k], p*(1-p)
			g0, g1 = g0+d, g1+d*v
			h00, h01, h11 = h00+w, h01+w*v, h11+w*v*v
		}
		det := h00*h11 - h01*h01
		if det <= 0 || math.IsNaN(det) {
			break
		}
		a, b := (h11*g0-h01*g1)/det, (h00*g1-h01*g0)/det
		step := 1.0
		if big := max(math.Abs(a), math.Abs(b)); big > 2 {
			step = 2 / big
		}
		f.Intercept, f.Slope = f.Intercept-step*a, f.Slope-step*b
		if math.Abs(a)+math.Abs(b) < 1e-9 {
			break
		}
	}
	if f.Slope <= 0 {
		return LogisticFit{Intercept: f.prior, prior: f.prior}
	}
	return f
}

// LogRatio is the logarithm of how much likelier x is where y is 1 than where it is 0.
func (f LogisticFit) LogRatio(x float64) float64 { return f.Intercept + f.Slope*x - f.prior }
