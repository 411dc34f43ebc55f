package audit

import (
	"github.com/unpoison/unpoison/rng"
)

// against draws those of the removed images that training is told not to believe; the rest stay unseen.
func (a Options) against(removed []int, kept int, seed uint64) (against, rest []int) {
	n := min(len(removed)/2, int(a.Against*float64(kept)))
	for k, j := range rng.Shuffle(seed, "against", len(removed), 0) {
		if k < n {
			against = append(against, removed[j])
		} else {
			rest = append(rest, removed[j])
		}
	}
	return against, rest
}
