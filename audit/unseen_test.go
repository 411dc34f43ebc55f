package audit

import (
	"testing"

	"github.com/unpoison/unpoison/defense"
)

// The kind that looks like many classes to a network without the label is suspected, whichever isolation put first.
func TestSettle(t *testing.T) {
	const images, planted = 200, 80
	var second [][]float64
	for i := range images {
		p := make([]float64, 5)
		p[1] = 1
		if i < planted {
			p = make([]float64, 5)
			p[1+i%4] = 1
		}
		second = append(second, p)
	}
	for _, first := range []bool{true, false} { // whether the planted ones are the group
		g := &group{early: 0.6}
		flaggedOnes := images - planted
		if first {
			flaggedOnes = planted
		}
		for i := range images {
			g.images = append(g.images, i)
			g.p = append(g.p, float64(bit((i < planted) == first)))
		}
		g.sorted = g.p
		s := &sight{defense.Target{By: defense.ByFeatures, Images: images, Flagged: flaggedOnes, Pure: 0.9}, g}
		s.settle(second)
		if s.t.Says != defense.Poisoned || s.t.Flagged != planted || s.t.Variety < 1-1e-9 || s.t.RestVariety > 1e-9 {
			t.Errorf("planted first: %v: %+v", first, s.t)
		}
		for i, p := range s.g.sorted {
			if (p > flagged) != (i < planted) {
				t.Fatalf("planted first: %v: image %d has a probability of %g", first, i, p)
			}
		}
	}
}
