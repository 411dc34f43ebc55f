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
// class with few other images, not all are matched: else what classes they show would tell them.
func (t told) common(l lesson) common {
	ranks := make([]stat.Ranked, 0, len(l.matched)+len(l.alike))
	for _, i := range l.matched {
		ranks = append(ranks, stat.Ranked{At: t.z[i], Marked: true})
	}
	for _, i := range l.alike {
		ranks = append(ranks, stat.Ranked{At: t.z[i]})
	}
	share, deviations := stat.Above(ranks)
	return common{share, deviations}
}

// sure is what they have in common, in the mean over several ways of parting them where one way does not decide: by another, other
// images teach.
func (t told) sure(ctx context.Context, c *look.Case, l lesson) (common, error) {
	m := t.common(l)
	if m.inCommon < hinted || m.inCommon >= decide*shared {
		return m, nil
	}
	for way := 1; way < ways; way++ {
		other, err := tell(ctx, c, l, nil, way)
		if err != nil {
			return m, err
		}
		o := other.common(l)
		m.shared += (o.shared - m.shared) / float64(way+1)
		m.inCommon += (o.inCommon - m.inCommon) / float64(way+1)
	}
	return m, nil
}
