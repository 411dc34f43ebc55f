package look

import "math"

// leastTold is how many nats networks tell of all labels at least that know something of them: fewer are chance.
const leastTold = 10

// Untold tells whether it knows no more of the labels than chance gives.
func (c *Content) Untold() bool {
	return c.tells() < leastTold
}

// tells is what it tells of all labels, in nats beyond how common they are: 0 or less where it knows nothing.
func (c *Content) tells() (nats float64) {
	count, known := make([]float64, c.Classes()), 0.0
	for i, y := range c.Labels {
		if c.Knows(i) {
			count[y]++
			known++
			nats += math.Log(max(c.P.At(i, int(y)), contentLeast))
		}
	}
	for _, n := range count {
		if n > 0 {
			nats -= n * math.Log(n/known)
		}
	}
	return nats
}
