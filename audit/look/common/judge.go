package common

import (
	"math"

	"github.com/unpoison/unpoison/audit/look"
)

var (
	variation = look.Limit("common", "variation")
	between   = look.Limit("common", "between")
	enough    = int(look.Limit("common", "enough"))
)

// Facts are what is seen of a label under which there are images with the pattern. Leak counts those under other labels.
type Facts struct {
	look.Counts
	Distance float64     `json:"distance"`        // deviations between the images with the pattern and the others
	Spread   float64     `json:"spread"`          // variation of the images with the pattern beside it, as a share of the others'
	Under    *look.Right `json:"under,omitempty"` // whether the labels are right of those under this label; nil where they are too few to tell
	All      *look.Right `json:"all,omitempty"`   // of all images with it; nil where no network tells
	Classes  int         `json:"classes"`         // labels that there are
}

// Says judges the label. The pattern was planted where the labels of its images are wrong: of all that have it, but for those under
// a label that they do show, or of many under this label. Where they are right it is a mark that images of many labels share. Where the
// network does not know these labels nobody can tell.
func (f Facts) Says() look.Says {
	carriers := f.Flagged + f.Leak
	if f.Distance < apart || f.Spread < variation || f.BetweenShare() > between || carriers < enough {
		return look.NoEvidence
	}
	switch {
	case f.All == nil:
		return look.CantTell
	case f.alone(), !f.shown() && f.wrong(f.All, carriers):
		return look.Poisoned
	case !f.shown() && f.All.Contradicted():
		return look.CantTell
	}
	return look.NoEvidence
}

// Strength is by how much what makes a pattern is there; see look.Evidence. Whether it was planted the labels say.
func (f Facts) Strength() float64 {
	return min(
		look.AtLeast(f.Distance, apart), look.AtLeast(f.Spread, variation), look.AtMost(f.BetweenShare(), between),
		look.AtLeast(float64(f.Flagged+f.Leak), float64(enough)),
	)
}

// shown tells whether the images under this label rather show it than not.
func (f Facts) shown() bool { return f.Under != nil && f.Flagged >= fewest && f.Under.Suspects > 0.5 }

// alone tells whether the labels of many images under this label are wrong.
func (f Facts) alone() bool {
	return f.Under != nil && f.Flagged >= enough && f.wrong(f.Under, f.Flagged)
}

// wrong tells whether the labels of n images are wrong, which the network knows, by more than chance: by four deviations of the mean of
// so many probabilities.
func (f Facts) wrong(r *look.Right, n int) bool {
	if !r.Contradicted() || !r.Known(max(1, f.Classes)) {
		return false
	}
	return r.Rest-r.Suspects >= 4*math.Sqrt(r.Rest*(1-r.Rest)/float64(n))
}

// Right is by which images the label is judged.
func (f Facts) Right() *look.Right {
	if f.shown() || f.alone() {
		return f.Under
	}
	return f.All
}
