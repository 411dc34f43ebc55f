package content

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

// common is what cases have in common, by networks that were taught to tell them from images that show the same, and from no others.
type common struct {
	shared   float64 // probability that a case is told from an image that shows the same, both unseen
	inCommon float64 // the same in deviations from chance
	// own is the probability that these networks take a case rather than an honest image of the case's label for one. Where cases are
	// honest, and only seem to show something else, what tells them is what their label looks like, of which other images of the label
	// have more. 1 where there is none to ask.
	own float64
}

// hints tells whether there is anything that cases may have in common.
func (a common) hints() bool { return a.inCommon >= hinted && a.own >= besideOwn }

// inCommon teaches networks to tell the cases of a lesson from images that show the same.
func inCommon(ctx context.Context, c *look.Case, l lesson) (a common, err error) {
	only := l
	only.own, only.round = nil, rounds // the random streams of no round
	t, err := tell(ctx, c, only, l.own)
	if err != nil {
		return a, err
	}
	a.shared, a.inCommon = t.above(l.cases, l.alike)
	a.own = 1
	won, pairs := 0.0, 0.0 // label by label: else it is the labels that differ
	for _, label := range l.labels {
		under := func(i int) bool { return int(c.Data.Labels[i]) == label }
		cases, own := look.Those(l.cases, under), look.Those(l.own, under)
		n := float64(len(cases) * len(own))
		share, _ := t.above(cases, own)
		won, pairs = won+share*n, pairs+n
	}
	if pairs > 0 {
		a.own = won / pairs
	}
	return a, nil
}

// above is the probability that one of some images looks more like a case than one of others, and that in deviations from chance.
func (t told) above(some, others []int) (share, deviations float64) {
	ranks := make([]stat.Ranked, 0, len(some)+len(others))
	for _, i := range some {
		ranks = append(ranks, stat.Ranked{At: t.z[i], Marked: true})
	}
	for _, i := range others {
		ranks = append(ranks, stat.Ranked{At: t.z[i]})
	}
	return stat.Above(ranks)
}
