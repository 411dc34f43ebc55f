package abl

import "github.com/unpoison/unpoison/rng"

// cycle walks through shuffles of 0…n-1, one after another.
type cycle struct {
	seed    uint64
	purpose string
	n, turn int
	order   []int
}

func newCycle(seed uint64, purpose string, n int) *cycle {
	return &cycle{seed: seed, purpose: purpose, n: n}
}

func (c *cycle) next() int {
	if len(c.order) == 0 {
		c.order = rng.Shuffle(c.seed, c.purpose, c.n, c.turn)
		c.turn++
	}
	i := c.order[0]
	c.order = c.order[1:]
	return i
}
