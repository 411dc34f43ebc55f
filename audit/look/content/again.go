package content

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

// A label is asked about again where the images in between are as many as unsure of those flagged, and these at least as many as
// frequent of the label: of a rare trigger the second answer only takes more honest images for planted (Adaptive-Patch at 1 % of
// CIFAR-10: 0.4 %, else 0.2).
const unsure, frequent = 0.1, 0.2

// again asks about a label once more, where many of its images are in doubt, by networks that can't see triggers and that learnt none
// of those found under it. Networks that learn planted images take a frequent trigger, or one that lies over the whole image, for what
// the label looks like, and doubt its images less. But whether the images have anything in common only the first answer tells: honest
// images that are left out of the training are doubted more, too. For the same reason it is done once.
func again(ctx context.Context, c *look.Case, q question, a answer) (answer, error) {
	label := q.labels[0]
	found := make([]bool, len(a.p))
	n, between, images := 0.0, 0.0, 0.0
	for i, p := range a.p {
		images += float64(stat.Bit(int(c.Data.Labels[i]) == label))
		found[i] = p > look.Flagged
		n += float64(stat.Bit(found[i]))
		between += float64(stat.Bit(p > 1-look.Sure && p < look.Sure))
	}
	if between < unsure*n || n < frequent*images {
		return a, nil
	}
	content, err := c.ContentWithout(ctx, label, found)
	if err != nil {
		return a, err
	}
	f := flipsOf(content)[label]
	q.odds = f.odds(content)
	next, err := ask(ctx, c, content, q)
	if err != nil || next.ratio == nil { // what was found is all
		return a, err
	}
	next.common, next.cases = a.common, a.cases
	c.Note("%s: by networks that learnt none of %.0f images, %.2f %% of all was given this label: %.1f nats", c.Data.Classes[label], n, 100*f.Rate, f.Evidence)
	return next, nil
}
