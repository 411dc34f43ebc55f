package runs

import (
	"strings"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/defense"
)

// Images that were learnt late are not said to have been learnt first: their labels told them.
func TestVerdictSaysWhatTold(t *testing.T) {
	for _, c := range []struct {
		by    string
		early float64
		want  string
	}{
		{defense.ByFeatures, 0.9, "were learnt before it"},
		{defense.ByFeatures, 0.1, "look like images of other labels."},
		{defense.ByLate, 0, "carry something that is learnt late, and many of these look like images of other labels"},
		{defense.ByUnseen, 0.6, "to a network that never saw one under this label."},
	} {
		r := &Result{Verdict: &defense.Verdict{Says: defense.Poisoned, Targets: []defense.Target{{Class: "stop", Says: defense.Poisoned, By: c.by, Early: c.early}}}}
		if s := strings.Join(verdictSentences(r), "\n"); !strings.Contains(s, c.want) {
			t.Errorf("%s, early %g: %s", c.by, c.early, s)
		}
	}
}

// Where planted images lie among the scores depends on the look that found them.
func TestScoresSayWherePlantedImagesLie(t *testing.T) {
	const pixels, late = "found by their pixels", "learnt late are not"
	for by, want := range map[string]string{defense.ByBiased: "", defense.ByPixels: pixels, defense.ByCommon: pixels, defense.ByLate: late} {
		for _, says := range []string{defense.Poisoned, defense.NoEvidence} {
			v := &defense.Verdict{Says: says, Targets: []defense.Target{{Class: "stop", Says: says, By: by}}}
			f, err := scoreFigure(&Outcome{Trained: &abl.Result{Verdict: v, Suspects: []abl.Suspect{{Isolated: true}, {Index: 1, Score: 1}}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []string{pixels, late} {
				if got := strings.Contains(f.Caption, s); got != (s == want && says == defense.Poisoned) {
					t.Errorf("%s, %s: %s", says, by, f.Caption)
				}
			}
		}
	}
}

// A pattern under many labels is told once, not a label at a time.
func TestVerdictSumsUpCommonPatterns(t *testing.T) {
	for says, want := range map[string]string{
		defense.Poisoned:   "90 images under 2 labels carry the same pattern, and their labels are wrong",
		defense.CantTell:   "whether their labels are right was not looked at",
		defense.NoEvidence: "a mark that they share",
	} {
		v := &defense.Verdict{Says: says, Targets: []defense.Target{
			{Class: "stop", Says: says, By: defense.ByCommon, Flagged: 40}, {Class: "yield", Says: says, By: defense.ByCommon, Flagged: 50},
		}}
		if says == defense.Poisoned { // and one label where it is right
			v.Targets = append(v.Targets, defense.Target{Class: "ahead", Says: defense.NoEvidence, By: defense.ByCommon, Flagged: 60})
		}
		s := strings.Join(verdictSentences(&Result{Verdict: v}), "\n")
		if !strings.Contains(s, want) || strings.Contains(s, "Under the label") {
			t.Errorf("%s: %s", says, s)
		}
	}
}
