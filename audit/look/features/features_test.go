package features

import (
	"testing"

	"github.com/unpoison/unpoison/audit/look"
)

// Two kinds of images need distance, and more of it where there are few; which is the planted one isolation says.
func TestSaysByFeatures(t *testing.T) {
	trigger := Facts{look.KindFacts{Counts: look.Counts{Images: 900, Flagged: 400, Between: 9}, Distance: 7.5, Usual: 4, Bimodality: 0.7, Early: 0.9, Pure: 1}}
	for name, c := range map[string]struct {
		change func(t *Facts)
		want   look.Says
	}{
		"two kinds":       {func(*Facts) {}, look.Poisoned},
		"close":           {func(t *Facts) { t.Distance = 6.5 }, look.NoEvidence},
		"few":             {func(t *Facts) { t.Images, t.Flagged = 100, 40 }, look.NoEvidence},
		"hardly any":      {func(t *Facts) { t.Flagged = 4 }, look.NoEvidence},
		"as other labels": {func(t *Facts) { t.Usual = 6.5 }, look.NoEvidence},
		"unlike others":   {func(t *Facts) { t.Usual = 5 }, look.Poisoned},
		"clean blue signs": {func(t *Facts) {
			t.Images, t.Distance, t.Usual, t.Bimodality, t.Early, t.Isolated = 172, 11.465, 6.332, 0.546, 0.829, 0.734
		}, look.NoEvidence},
		"clean planes and dogs": {func(t *Facts) {
			t.Images, t.Flagged, t.Distance, t.Usual, t.Bimodality, t.Early, t.Isolated = 2539, 2442, 9.93, 0, 0.613, 0.832, 1
		}, look.CantTell},
		"seen plainly":     {func(t *Facts) { t.Bimodality, t.Early, t.Isolated = 0.478, 0.922, 0.99 }, look.Poisoned},
		"clean stop signs": {func(t *Facts) { t.Images, t.Distance, t.Usual = 300, 8.585, 6.607 }, look.NoEvidence},
		"one hump":         {func(t *Facts) { t.Bimodality = 0.4 }, look.NoEvidence},
		"one hump, wrong":  {func(t *Facts) { t.Bimodality, t.Suspects, t.Variety.Usual = 0.4, 0.44, 0.13 }, look.Poisoned},
		"close and wrong":  {func(t *Facts) { t.Distance, t.Suspects, t.Variety.Usual = 6.5, 0.44, 0.13 }, look.NoEvidence},
		"blurred":          {func(t *Facts) { t.Between = 90 }, look.NoEvidence},
		"learnt alike":     {func(t *Facts) { t.Early = 0.55 }, look.CantTell},
		"isolated in both": {func(t *Facts) { t.Pure = 0.7 }, look.CantTell},
		"wrong labels":     {func(t *Facts) { t.Early, t.Pure, t.Suspects = 0.1, 0, 0.6 }, look.Poisoned},
		"wrong everywhere": {func(t *Facts) { t.Early, t.Suspects, t.Variety.Usual = 0.1, 0.6, 0.6 }, look.CantTell},
		"wrong in both":    {func(t *Facts) { t.Early, t.Suspects, t.Rest = 0.1, 0.6, 0.6 }, look.CantTell},
		"others wrong":     {func(t *Facts) { t.Rest, t.Variety.Usual = 0.3, 0.12 }, look.CantTell},
	} {
		f := trigger
		c.change(&f)
		if got := f.Says(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
