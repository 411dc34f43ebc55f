package common

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
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
}

// Says judges the label. The pattern was planted where the labels of its images are wrong: of all that have it, but for those under
// a label that they do show, or of many under this label. Where they are right it is a mark that images of many labels share.
func (f Facts) Says() look.Says {
	carriers := f.Flagged + f.Leak
	if f.Distance < apart || f.Spread < variation || f.BetweenShare() > between || carriers < enough {
		return look.NoEvidence
	}
	switch {
	case f.All == nil:
		return look.CantTell
	case f.All.Contradicted() && !f.shown(), f.alone():
		return look.Poisoned
	}
	return look.NoEvidence
}

// shown tells whether the images under this label rather show it than not.
func (f Facts) shown() bool { return f.Under != nil && f.Flagged >= fewest && f.Under.Suspects > 0.5 }

// alone tells whether the labels of many images under this label are wrong.
func (f Facts) alone() bool { return f.Under != nil && f.Flagged >= enough && f.Under.Contradicted() }

// Right is by which images the label is judged.
func (f Facts) Right() *look.Right {
	if f.shown() || f.alone() {
		return f.Under
	}
	return f.All
}

// AskAgain says of the labels under which there is a common pattern whether it was planted, by what its images show. The score is
// the distance.
func (Look) AskAgain(ctx context.Context, c *look.Case, _ []look.Evidence) ([]look.Evidence, error) {
	var seen pattern
	if ok, err := c.Get(string(Name), &seen); !ok {
		return nil, err
	}
	if !c.Settings.Content { // the plain network tells, which never saw an image with the pattern
		if _, err := c.Plain(ctx); err != nil {
			return nil, err
		}
	}
	p := c.Aside()
	right, err := c.Weigh(ctx, p)
	if err != nil {
		return nil, err
	}
	with, images := c.Of(c.IsAside), c.Of(nil)
	carriers := len(look.Those(stat.Iota(c.Data.Len()), c.IsAside))
	var all []look.Evidence
	for label := range with {
		if len(with[label]) == 0 {
			continue
		}
		f := Facts{Distance: seen.Distance, Spread: seen.Spread, All: right}
		f.Images, f.Others, f.Leak = len(images[label]), c.Data.Len()-len(images[label]), carriers-len(with[label])
		f.Tally(images[label], p)
		if f.Under, err = c.Weigh(ctx, p, label); err != nil {
			return nil, err
		}
		e := look.Evidence{Look: Name, Label: label, Score: f.Distance, Says: f.Says(), Right: f.Right(), Carriers: c.Unasked(), Facts: f}
		for _, i := range with[label] {
			e.Carriers[i] = p[i]
		}
		all = append(all, e)
	}
	c.Note("a pattern in %d images under %d labels, %.2f from the rest; they vary %.2f times as it; %s", carriers, len(all), seen.Distance, seen.Spread, right)
	return all, nil
}
