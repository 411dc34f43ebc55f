package content

import (
	"context"
	"slices"

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
	share, deviations := stat.Above(slices.Concat(t.ranked(l, l.matched, true), t.ranked(l, l.alike, false)))
	return common{share, deviations}
}

// ranked are images by what the networks say of them, copies of one as one.
func (t told) ranked(l lesson, images []int, marked bool) (ranks []stat.Ranked) {
	at, copies := map[int]int{}, []float64(nil)
	for _, i := range look.Those(images, t.says) {
		number, has := l.kin[i]
		k, is := at[number]
		if !has || !is {
			k = len(ranks)
			ranks, copies = append(ranks, stat.Ranked{Marked: marked}), append(copies, 0)
			if has {
				at[number] = k
			}
		}
		ranks[k].At += t.z[i]
		ranks[k].Weight += l.weight[i]
		copies[k]++
	}
	for k, n := range copies {
		ranks[k].At /= n
		ranks[k].Weight /= n
	}
	return ranks
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
