package audit

import (
	"slices"
	"testing"
)

// Training is set against some of the removed images, never against more than half of them, so that the rest can judge it.
func TestAgainst(t *testing.T) {
	for _, c := range []struct {
		removed, kept int
		share         float64
		want          int
	}{{1000, 9000, 0.02, 180}, {100, 9000, 0.02, 50}, {100, 9000, 0, 0}, {1, 9000, 0.02, 0}, {0, 9000, 0.02, 0}} {
		var removed []int
		for i := range c.removed {
			removed = append(removed, 3*i)
		}
		against, rest := Options{Against: c.share}.against(removed, c.kept, 1)
		all := slices.Concat(against, rest)
		slices.Sort(all)
		if len(against) != c.want || !slices.Equal(all, removed) {
			t.Errorf("of %d images, with %d kept: against %d, %d left", c.removed, c.kept, len(against), len(rest))
		}
	}
}
