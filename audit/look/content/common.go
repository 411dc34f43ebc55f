package content

import "github.com/unpoison/unpoison/audit/stat"

// common is what cases have in common.
type common struct {
	shared   float64 // probability that a case is told from an image that shows the same, both unseen
	inCommon float64 // the same in deviations from chance
}

// common compares what networks say of a lesson's cases with what they say of images that show the same.
func (t told) common(l lesson) common {
	ranks := make([]stat.Ranked, 0, len(l.cases)+len(l.alike))
	for _, i := range l.cases {
		ranks = append(ranks, stat.Ranked{At: t.z[i], Marked: true})
	}
	for _, i := range l.alike {
		ranks = append(ranks, stat.Ranked{At: t.z[i]})
	}
	share, deviations := stat.Above(ranks)
	return common{share, deviations}
}
