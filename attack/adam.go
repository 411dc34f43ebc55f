package attack

import "math"

// adamArray is Adam for a few numbers outside a graph.
type adamArray struct {
	first, second []float64
	t             int
}

// descend moves x against its gradient and keeps it within 0 and 1.
func (a *adamArray) descend(x, g []float32, rate float64) {
	const beta1, beta2 = 0.9, 0.999
	if a.first == nil {
		a.first, a.second = make([]float64, len(x)), make([]float64, len(x))
	}
	a.t++
	c1, c2 := 1-math.Pow(beta1, float64(a.t)), 1-math.Pow(beta2, float64(a.t))
	for i, gi := range g {
		v := float64(gi)
		a.first[i] = beta1*a.first[i] + (1-beta1)*v
		a.second[i] = beta2*a.second[i] + (1-beta2)*v*v
		x[i] = float32(min(1, max(0, float64(x[i])-rate*a.first[i]/c1/(math.Sqrt(a.second[i]/c2)+1e-8))))
	}
}
