package stat

import "math"

// Softmax are the probabilities [rows][columns] that rows of logits stand for at a temperature. They are worked out when they are asked
// for, since many rows of many are large: beside the logits it takes 16 bytes a row.
type Softmax struct {
	logits      [][]float32
	temperature float64
	top, log    []float64 // of each row: the largest logit, and the logarithm of the sum of what the others are to it
}

// NewSoftmax returns the probabilities of logits, which must not change after.
func NewSoftmax(logits [][]float32, temperature float64) *Softmax {
	s := &Softmax{logits, temperature, make([]float64, len(logits)), make([]float64, len(logits))}
	for i, z := range logits {
		s.top[i], s.log[i] = normaliser(z, temperature)
	}
	return s
}

// Columns is how many there are; 0 without rows.
func (s *Softmax) Columns() int {
	if len(s.logits) == 0 {
		return 0
	}
	return len(s.logits[0])
}

// At is one probability, from 0 to 1.
func (s *Softmax) At(row, column int) float64 {
	return math.Exp(float64(s.logits[row][column])/s.temperature - s.top[row] - s.log[row])
}

// Row returns a row's probabilities in a slice of their own.
func (s *Softmax) Row(row int) []float64 {
	p := make([]float64, len(s.logits[row]))
	for k := range p {
		p[k] = s.At(row, k)
	}
	return p
}

// Top returns the likeliest column of a row but for one, the first of equal ones; −1: but for none.
func (s *Softmax) Top(row, but int) int {
	best := -1
	for k, v := range s.logits[row] {
		if k != but && (best < 0 || v > s.logits[row][best]) {
			best = k
		}
	}
	return best
}

// normaliser returns what is taken off logits, once they are divided by the temperature, to make them logarithms of probabilities.
func normaliser[F float32 | float64](z []F, temperature float64) (top, log float64) {
	top = math.Inf(-1)
	for _, v := range z {
		top = max(top, float64(v)/temperature)
	}
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(float64(v)/temperature - top)
	}
	return top, math.Log(sum)
}

// LogSoftmax returns the logarithms of the probabilities that logits stand for at a temperature.
func LogSoftmax(z []float64, temperature float64) []float64 {
	top, log := normaliser(z, temperature)
	out := make([]float64, len(z))
	for c, v := range z {
		out[c] = v/temperature - top - log
	}
	return out
}

// Temperature returns the number by which logits [images][classes] are best divided, so that the probabilities which they stand
// for are as likely as they can be to give the labels: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
// section 4.2. It lies between 0.25 and 4.
func Temperature(logits [][]float32, labels []int32) float64 {
	loss := func(t float64) float64 {
		sum := 0.0
		for i, z := range logits {
			top, log := normaliser(z, t)
			sum -= float64(z[labels[i]])/t - top - log
		}
		return sum
	}
	lo, hi := math.Log(0.25), math.Log(4)
	const golden = 0.6180339887498949
	a, b := hi-golden*(hi-lo), lo+golden*(hi-lo)
	fa, fb := loss(math.Exp(a)), loss(math.Exp(b))
	for hi-lo > 1e-3 {
		if fa < fb {
			hi, b, fb = b, a, fa
			a = hi - golden*(hi-lo)
			fa = loss(math.Exp(a))
		} else {
			lo, a, fa = a, b, fb
			b = lo + golden*(hi-lo)
			fb = loss(math.Exp(b))
		}
	}
	return math.Exp((lo + hi) / 2)
}
