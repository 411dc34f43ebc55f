package content

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

const (
	ways   = 3   // of parting cases into folds, where one does not decide
	decide = 1.5 // times the limit that decides at once
)

// common is what cases have in common.
type common struct {
	shared   float64 // probability that a case is told from an image that shows the same, both unseen
	inCommon float64 // the same in deviations from chance
}

// common compares what networks say of a lesson's matched cases with what they say of images that show the same. Of cases that show a
// class with few other images, not all are matched: else what classes they show would tell them. A case counts as much as it surely
// shows something else, and its controls too: among those in doubt there are honest ones.
func (t told) common(l lesson) common {
	ranks := make([]stat.Ranked, 0, len(l.matched)+len(l.alike))
	for _, i := range look.Those(l.matched, t.says) {
		ranks = append(ranks, stat.Ranked{At: t.z[i], Marked: true, Weight: l.weight[i]})
	}
	for _, i := range look.Those(l.alike, t.says) {
		ranks = append(ranks, stat.Ranked{At: t.z[i], Weight: l.weight[i]})
	}
	share, deviations := stat.Above(ranks)
	return common{share, deviations}
}

// says tells whether the networks say anything of an image.
func (t told) says(i int) bool { return t.asked[i] }

// sure is what they have in common by the networks of several ways of parting them together, where one way does not decide: one network
// says more or less than another by chance.
func (t told) sure(ctx context.Context, c *look.Case, l lesson) (common, error) {
	m := t.common(l)
	if m.inCommon < hinted || m.inCommon >= decide*shared {
		return m, nil
	}
	all := []told{t}
	for way := 1; way < ways; way++ {
		other, err := tell(ctx, c, l, nil, way)
		if err != nil {
			return m, err
		}
		all = append(all, other)
	}
	return mean(all).common(l), nil
}
