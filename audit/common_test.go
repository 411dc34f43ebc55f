package audit

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/internal/testkit/planted"
)

// commonIn looks for a pattern under many labels.
func commonIn(t *testing.T, set *dataset.Set) *common {
	t.Helper()
	c, err := spectraOf(t, set).common(context.Background(), make([]float32, set.Len()), 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A pattern that every label has is found to the last image; what one label has is left to the look at labels, and honest
// images have none.
func TestCommonPatternsAreFound(t *testing.T) {
	clean := signs.Render(1, 1200, 10).Train
	for _, c := range []struct {
		attack string
		rate   float64
	}{{"badnets", 0.1}, {"badnets", 0.03}, {"blend", 0.1}, {"blend", 0.3}} {
		config := attack.Defaults(c.attack)
		config.AllToAll, config.Rate = true, c.rate
		_, set, poisoned := planted.Poison(t, config, clean)
		found := commonIn(t, set)
		if found == nil {
			t.Errorf("%+v: nothing found", c)
			continue
		}
		t.Logf("%+v: %.2f apart, variation %.2f", c, found.distance, found.spread)
		for i, p := range found.p {
			if poisoned[i] != (p > flagged) {
				t.Errorf("%+v: image %d has a probability of %g, poisoned is %v", c, i, p, poisoned[i])
			}
		}
	}
	if found := commonIn(t, clean); found != nil {
		t.Errorf("clean signs: %.2f apart", found.distance)
	}
	_, set, _ := planted.Poison(t, attack.Defaults("badnets"), clean)
	if found := commonIn(t, set); found != nil {
		t.Errorf("one label's pattern: %.2f apart", found.distance)
	}
}

// Every sign with a sticker is taken for the next one: planted. With its own label it only bears a mark.
func TestPatternsUnderAllLabels(t *testing.T) {
	clean := signs.Render(1, 1500, 10).Train
	config := attack.Defaults("badnets")
	config.AllToAll, config.Own = true, &attack.BadNets{PatchSize: 5}
	_, wrong, poisoned := planted.Poison(t, config, clean)
	right := *wrong
	right.Labels = clean.Labels
	for want, set := range map[string]*dataset.Set{defense.Poisoned: wrong, defense.NoEvidence: &right} {
		a := short()
		a.Rounds = 0
		r, err := Audit(context.Background(), set, recipe(), a, abl.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		c := r.Verdict.Common()
		if r.Verdict.Says != want || c == nil || c.Says != want || len(c.Labels) != len(set.Classes) || c.Images != 150 {
			t.Errorf("%s: says %s, %+v", want, r.Verdict.Says, c)
		}
		t.Logf("%+v", r.Verdict.Targets[0])
		for _, s := range r.Suspects {
			if removed := s.Probability > flagged; removed != (poisoned[s.Index] && want == defense.Poisoned) {
				t.Errorf("%s: image %d, poisoned %v, has a probability of %g", want, s.Index, poisoned[s.Index], s.Probability)
			}
		}
	}
}

func TestMatched(t *testing.T) {
	for want, pairs := range map[int]map[[2]int]int{
		0:  nil,
		30: {{0, 1}: 10, {1, 2}: 10, {2, 0}: 10, {0, 0}: 3, {1, 1}: 2},
		12: {{0, 5}: 12, {1, 5}: 11, {2, 5}: 9}, // a class counts once
		17: {{0, 5}: 12, {0, 4}: 7, {1, 4}: 5, {1, 5}: 11},
	} {
		if got := matched(pairs); got != want {
			t.Errorf("%v: %d, expected %d", pairs, got, want)
		}
	}
}
