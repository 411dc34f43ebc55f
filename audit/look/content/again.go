package content

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

const (
	rounds = 7 // of cases and controls at first; later there are few changes

	turns   = 4   // at most
	growing = 1.1 // times as many as before are found: then there may be more
	unsure  = 0.1 // as many in between, as a share of those found, are asked about again
)

// again asks about a label by networks that can't see triggers and that learnt none of the images found under it so far, until hardly
// more are found, or few are left in doubt. Those that learn planted images take a frequent trigger, or one that lies over the whole image, for what the label
// looks like, and doubt its images less. The last answer counts.
func again(ctx context.Context, c *look.Case, q question, a answer) (answer, error) {
	label, before := q.labels[0], 0.0
	for turn := range turns {
		found, n, between := a.found()
		if n < growing*before || between < unsure*n {
			break
		}
		content, err := c.ContentWithout(ctx, label, turn, found)
		if err != nil {
			return a, err
		}
		f := flipsOf(content)[label]
		q.odds, q.rounds = f.odds(content), lastOnes
		next, err := ask(ctx, c, content, q)
		if err != nil {
			return a, err
		}
		if next.ratio == nil { // what was found is all
			break
		}
		a, before = next, n
		c.Note("%s: by networks that learnt none of %.0f images, %.2f %% of all was given this label: %.1f nats; %d show something else and have something in common by %.3f, %.1f deviations",
			c.Data.Classes[label], n, 100*f.Rate, f.Evidence, len(a.cases), a.first.shared, a.first.inCommon)
	}
	return a, nil
}

// found tells which images are flagged, and counts them, and those that are neither surely planted nor surely not.
func (a answer) found() (flagged []bool, n, between float64) {
	flagged = make([]bool, len(a.p))
	for i, p := range a.p {
		flagged[i] = p > look.Flagged
		n += float64(stat.Bit(flagged[i]))
		between += float64(stat.Bit(p > 1-look.Sure && p < look.Sure))
	}
	return flagged, n, between
}
