package look

import "math"

// Tells is what it tells of an image's label, in nats beyond how common the labels are: 0 or less where it knows nothing.
func (c *Content) Tells() float64 {
	nats, known := c.tells()
	return nats / max(1, known)
}

// leastTold is how many nats networks tell of all labels at least that know something of them: fewer are chance.
const leastTold = 10

// Untold tells whether it knows no more of the labels than chance gives.
func (c *Content) Untold() bool {
	nats, _ := c.tells()
	return nats < leastTold
}

// tells is what it tells of all labels, in nats, and of how many images.
func (c *Content) tells() (nats, known float64) {
	count := make([]float64, c.Classes())
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
	return nats, known
}
