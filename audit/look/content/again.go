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

// further asks on where a first answer is in doubt: about one label once more, and whether its other images have what was found too. Of a
// label that the networks hardly know nothing can be told.
func further(ctx context.Context, c *look.Case, content *look.Content, q question, f labelFlips, a answer) (_ answer, err error) {
	one, doubt := q.except >= 0, false
	switch {
	case !one:
	case knownOf(content, q.labels[0]) < fewest:
		return a, nil
	case f.hidden(a):
		if a, _, doubt, err = unseen(ctx, c, q, a); err != nil {
			return a, err
		}
	}
	if !f.facts(!one).shares(a.common) {
		return a, nil
	}
	return complete(ctx, c, q, a, one, doubt)
}

// complete looks for the other images that have what cases were found to have in common.
func complete(ctx context.Context, c *look.Case, q question, a answer, one, doubt bool) (_ answer, err error) {
	if one {
		if a, err = again(ctx, c, q, a, doubt); err != nil {
			return a, err
		}
	}
	a.ofLabel, err = ofLabel(ctx, c, a.last)
	return a, err
}

// knownOf counts the images of a label that networks take for it.
func knownOf(content *look.Content, label int) (n int) {
	for i, y := range content.Labels {
		n += stat.Bit(int(y) == label && content.Knows(i) && content.Shows(i, -1) == label)
	}
	return n
}

// again asks about a label once more, where many of its images are in doubt, or it is said that they are, by networks that can't see
// triggers and that learnt none of those found under it. Networks that learn planted images take a frequent trigger, or one that lies
// over the whole image, for what the label looks like, and doubt its images less. But whether the images have anything in common only the
// first answer tells: honest images that are left out of the training are doubted more, too. For the same reason it is done once.
func again(ctx context.Context, c *look.Case, q question, a answer, doubt bool) (answer, error) {
	label, least := q.labels[0], float64(look.Flagged)
	if doubt { // most planted images were not found
		least = certain
	}
	found := make([]bool, len(a.p))
	n, between, images := 0.0, 0.0, 0.0
	for i, p := range a.p {
		images += float64(stat.Bit(int(c.Data.Labels[i]) == label))
		found[i] = p > least
		n += float64(stat.Bit(found[i]))
		between += float64(stat.Bit(p > 1-look.Sure && p < look.Sure))
	}
	if !doubt && (between < unsure*n || n < frequent*images) {
		return a, nil
	}
	content, err := c.ContentWithout(ctx, label, found)
	if err != nil {
		return a, err
	}
	next, _, err := askBy(ctx, c, content, q)
	if err != nil || next.ratio == nil { // what was found is all
		return a, err
	}
	next.common, next.cases, next.why, next.left = a.common, a.cases, a.why, a.left
	return next, nil
}

// hidden tells whether many images were moved to the label which seem to have nothing in common, but may: where too few of them show
// something else to networks that have learnt their trigger for others to learn it from.
func (f labelFlips) hidden(a answer) bool {
	return f.Evidence >= leftOut && !f.one() && !f.facts(false).shares(a.common) && len(a.cases) >= fewest && 2*len(a.cases) <= f.images
}

// unseen asks about such a label by networks that learnt none of the images that show something else. Since honest images that are left
// out are doubted more, too, and a kind of them has the kind in common, more is asked of what they share. It tells whether that is there.
func unseen(ctx context.Context, c *look.Case, q question, a answer) (_ answer, by labelFlips, is bool, err error) {
	left := make([]bool, len(a.p))
	for _, i := range a.cases {
		left[i] = true
	}
	content, err := c.ContentUnseen(ctx, q.labels[0], a.why, left)
	if err != nil {
		return a, by, false, err
	}
	next, f, err := askBy(ctx, c, content, q)
	if err != nil || next.inCommon < sharedLeft {
		return a, f, false, err
	}
	next.why, next.left = a.why, true
	return next, f, true, nil
}

// askBy asks a question by other networks, which learnt fewer of a label's images, and says how many these take for moved to it.
func askBy(ctx context.Context, c *look.Case, content *look.Content, q question) (answer, labelFlips, error) {
	f := flipsOf(content)[q.labels[0]]
	q.odds = f.odds(content)
	a, err := ask(ctx, c, content, q)
	c.Note("%s: by networks that learnt none of these images, %.2f %% of all was given this label: %.1f nats; in common %.1f deviations", c.Data.Classes[q.labels[0]], 100*f.Rate, f.Evidence, a.inCommon)
	return a, f, err
}
