// Package biased looks into the labels that many isolated images carry. A small network learns, in rounds, to tell them from
// everything else, and finds the rest of what carries the trigger, if it is one that a small network can learn.
package biased

import (
	"cmp"
	"context"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
)

// Name of the look; Labels is what evidence is called where it is rather the label's other images that were planted: the biased
// network learnt what is honest, and they look like other classes.
const (
	Name   look.Name = "biased network"
	Labels look.Name = "wrong labels"
)

var (
	hopelessLeak = look.Limit("biased", "hopeless leak")
	fewest       = int(look.Limit("biased", "fewest"))
	leak         = look.Limit("biased", "leak")
	blurred      = look.Limit("biased", "blurred")
	between      = look.Limit("biased", "between")
	agreement    = look.Limit("biased", "agreement")
)

const unlikely = 0.3 // probability of what is surely no suspect

// Facts are what rounds of biased networks came to.
type Facts struct {
	look.Counts
	look.Variety
	Agreement float64 `json:"agreement"` // of the last two rounds' flagged images: their common ones as a share of all
	Rounds    int     `json:"rounds"`
}

// Says judges a label by the last round.
func (f Facts) Says() look.Says {
	switch {
	case hopeless(f.Counts):
		return look.NoEvidence
	case f.Rounds < 2:
		return look.CantTell
	case f.LeakShare() > leak || f.BetweenShare() > blurred:
		return look.NoEvidence
	case f.BetweenShare() <= between && f.Agreement >= agreement && !f.doubted():
		return look.Poisoned
	}
	return look.CantTell
}

// hopeless tells whether no further round will make a trigger of what was learnt.
func hopeless(c look.Counts) bool {
	return float64(c.Leak) > hopelessLeak*float64(max(1, c.Others)) || c.Flagged < fewest
}

// Look trains biased networks, in so many rounds at most.
type Look struct{ Rounds int }

// Name returns its name.
func (Look) Name() look.Name { return Name }

// Ask looks into every label that a share of the isolated images carries. It takes minutes a label, so that each is saved. The
// score is the rounds' agreement.
func (l Look) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	isolated := c.Isolated()
	count := make([]int, len(c.Data.Classes))
	for _, i := range isolated {
		count[c.Data.Labels[i]]++
	}
	first := 0
	for _, e := range c.Said(Name) { // looked into before an interruption
		first = e.Label + 1
	}
	for class := first; class < len(count); class++ {
		if float64(count[class]) < c.Settings.Share*float64(len(isolated)) {
			continue
		}
		e, err := l.ask(ctx, c, class, isolated)
		if err != nil {
			return nil, err
		}
		if err := c.Add(ctx, e); err != nil {
			return nil, err
		}
		if err := c.Save(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// ask looks into a label.
func (l Look) ask(ctx context.Context, c *look.Case, class int, isolated []int) (e look.Evidence, err error) {
	images := c.Under(class)
	suspects := look.Those(isolated, func(i int) bool { return int(c.Data.Labels[i]) == class })
	t, err := c.Rounds(ctx, look.Rounds{
		Purpose: "biased", Most: l.Rounds, Stage: "detect", Label: class, Images: images, Suspect: suspects, Enough: hopeless,
		Honest: images[len(images)-min(len(suspects), len(images)/4):], // learnt last: the least likely to carry a trigger
		Own: func(p []float32, n, _ int) []int {
			low := look.Those(images, func(i int) bool { return p[i] < unlikely })
			slices.SortStableFunc(low, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
			low = low[:(len(low)+1)/2]                                                                      // the surest
			slices.SortStableFunc(low, func(a, b int) int { return cmp.Compare(c.Scores[b], c.Scores[a]) }) // and the last learnt
			return low[:min(len(low)/2, n)]
		},
	})
	if err != nil {
		return e, err
	}
	f := Facts{Counts: t.Counts, Agreement: t.Agreement, Rounds: t.Rounds}
	e = look.Evidence{Look: Name, Label: class, Score: f.Agreement, Says: f.Says(), Carriers: c.Unasked(), Facts: f}
	for _, i := range images {
		e.Carriers[i] = t.P[i]
	}
	c.Note("%s: %s, %d of %d images flagged, %d of %d under other labels, %d in between, rounds agree to %.3f",
		c.Data.Classes[class], e.Says, f.Flagged, f.Images, f.Leak, f.Others, f.Between, f.Agreement)
	return e, nil
}
