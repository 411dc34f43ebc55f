package unseen

import (
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
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
		g := &stat.Group{Early: 0.6}
		flaggedOnes := images - planted
		if first {
			flaggedOnes = planted
		}
		for i := range images {
			g.Images = append(g.Images, i)
			g.P = append(g.P, float64(stat.Bit((i < planted) == first)))
		}
		g.Sorted = g.P
		k := &look.Kinds{KindFacts: look.KindFacts{Counts: look.Counts{Images: images, Flagged: flaggedOnes}, Pure: 0.9}, Group: g}
		f := settle(k, second)
		if f.Says() != look.Poisoned || f.Flagged != planted || f.Suspects < 1-1e-9 || f.Rest > 1e-9 {
			t.Errorf("planted first: %v: %+v", first, f)
		}
		for i, p := range k.Group.Sorted {
			if (p > look.Flagged) != (i < planted) {
				t.Fatalf("planted first: %v: image %d has a probability of %g", first, i, p)
			}
		}
	}
}

// Of two kinds of images a network without the label knows the planted one by its labels alone.
func TestSaysByUnseen(t *testing.T) {
	kind := Facts{look.KindFacts{Counts: look.Counts{Images: 900, Flagged: 400}, Variety: look.Variety{Suspects: 0.6, Rest: 0.2}}}
	for name, c := range map[string]struct {
		change func(t *Facts)
		want   look.Says
	}{
		"wrong labels":     {func(*Facts) {}, look.Poisoned},
		"like a few other": {func(t *Facts) { t.Suspects = 0.3 }, look.CantTell},
		"as the rest":      {func(t *Facts) { t.Rest = 0.5 }, look.CantTell},
		"few":              {func(t *Facts) { t.Flagged = 40 }, look.CantTell},
	} {
		f := kind
		c.change(&f)
		if got := f.Says(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
