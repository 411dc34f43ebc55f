package stat

// Varieties returns those of a group's images and of the others under its label.
func (g *Group) Varieties(second [][]float64) (in, out float64) {
	var sides [2][]int
	for k, i := range g.Images {
		b := Bit(g.Sorted[k] > Half)
		sides[b] = append(sides[b], i)
	}
	return Variety(second, sides[1]), Variety(second, sides[0])
}

// Turned is the group of the other images.
func (g *Group) Turned() *Group {
	rest := func(p []float64) []float64 {
		out := make([]float64, len(p))
		for k, v := range p {
			out[k] = 1 - v
		}
		return out
	}
	t := *g
	t.P, t.Sorted, t.Early = rest(g.P), rest(g.Sorted), 1-g.Early
	return &t
}

// Recut is the group whose labels look wrong where isolation misled: of all cuts, which isolation chose among, the one whose
// sides' varieties differ most for their sizes, since chance makes a few images various; and of its sides the one with more.
func (g *Group) Recut(second [][]float64) *Group {
	var best *Group
	most := -1.0
	for _, c := range g.Cuts {
		in, out := c.Varieties(second)
		if out > in {
			c, in, out = c.Turned(), out, in
		}
		n, all := 0.0, float64(len(c.Images))
		for _, p := range c.Sorted {
			n += float64(Bit(p > Half))
		}
		if value := n * (all - n) / all * (in - out); value > most {
			best, most = c, value
		}
	}
	return best
}
