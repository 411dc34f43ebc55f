package train

import (
	"math"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
)

// SGD is stochastic gradient descent as PyTorch does it: g ← g + λp, m ← μm + g, and
// p ← p − η(g + μm) with Nesterov, p ← p − ηm without.
type SGD struct {
	Momentum    float64 // μ
	Nesterov    bool
	WeightDecay float64 // λ
}

// DefaultSGD returns the paper's: momentum 0.9 with Nesterov, weight decay 1e-4.
func DefaultSGD() SGD { return SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4} }

// update returns the new parameter and its new momentum.
func (o SGD) update(p, m, g, rate *Node) (*Node, *Node) {
	if o.WeightDecay != 0 {
		g = Add(g, MulScalar(p, o.WeightDecay))
	}
	m = Add(MulScalar(m, o.Momentum), g)
	d := m
	if o.Nesterov {
		d = Add(g, MulScalar(m, o.Momentum))
	}
	return Sub(p, Mul(rate, d)), m
}

// Adam's constants (Kingma and Ba 2015), as the input-aware attack's authors chose them for generators.
const (
	adamBeta1, adamBeta2, adamEpsilon = 0.5, 0.9, 1e-8
)

// adamUpdate returns the new parameter and its new moments. The rate already corrects the moments' bias; see adamRate.
func adamUpdate(p *Node, moments []*Node, g, rate *Node) (*Node, []*Node) {
	first := Add(MulScalar(moments[0], adamBeta1), MulScalar(g, 1-adamBeta1))
	second := Add(MulScalar(moments[1], adamBeta2), MulScalar(Mul(g, g), 1-adamBeta2))
	return Sub(p, Mul(rate, Div(first, AddScalar(Sqrt(second), adamEpsilon)))), []*Node{first, second}
}

// adamRate corrects the bias of both moments in step t, from 1.
func adamRate(rate float64, t int) float64 {
	return rate * math.Sqrt(1-math.Pow(adamBeta2, float64(t))) / (1 - math.Pow(adamBeta1, float64(t)))
}
