package content

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

const (
	rounds = 7 // of cases and controls at first; later there are few changes

	turns   = 4   // at most
	growing = 1.1 // times as many as before are suspicious: then there may be more
	unsure  = 0.1 // as many in between, as a share of the suspicious ones, are asked about again
)

// again asks about a label by networks that can't see triggers and that learnt none of the suspicious images under it so far, until
// hardly more are suspicious, or few are left in doubt. Those that learn planted images take a frequent trigger, or one that lies over
// the whole image, for what the label looks like, and doubt its images less. The last answer counts; but whether the images have
// anything in common only the first one can tell: honest images that are left out of the training are doubted more, too.
func again(ctx context.Context, c *look.Case, q question, a answer) (answer, error) {
	label, before := q.labels[0], 0.0
	for turn := range turns {
		left, n, between := a.suspicious()
		if n < growing*before || between < unsure*n {
			break
		}
		content, err := c.ContentWithout(ctx, label, turn, left)
		if err != nil {
			return a, err
		}
		f := flipsOf(content)[label]
		q.odds, q.rounds = f.odds(content), lastOnes
		next, err := ask(ctx, c, content, q)
		if err != nil {
			return a, err
		}
		if next.ratio == nil { // these are all
			break
		}
		next.first, next.cases = a.first, a.cases
		a, before = next, n
		c.Note("%s: by networks that learnt none of %.0f images, %.2f %% of all was given this label: %.1f nats",
			c.Data.Classes[label], n, 100*f.Rate, f.Evidence)
	}
	return a, nil
}

// suspicious tells which images may be cases, and counts them, and those that are neither surely planted nor surely not.
func (a answer) suspicious() (which []bool, n, between float64) {
	which = make([]bool, len(a.p))
	for i, p := range a.p {
		which[i] = p > certain
		n += float64(stat.Bit(which[i]))
		between += float64(stat.Bit(p > 1-look.Sure && p < look.Sure))
	}
	return which, n, between
}
