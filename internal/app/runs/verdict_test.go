package runs

import (
	"strings"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/biased"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/isolate"
)

// Where planted images lie among the scores depends on the look that found them.
func TestScoresSayWherePlantedImagesLie(t *testing.T) {
	const byPixels = "found by their pixels"
	for by, want := range map[look.Name]string{biased.Name: "", pixels.Name: byPixels, common.Name: byPixels} {
		for _, says := range []look.Says{look.Poisoned, look.NoEvidence} {
			v := &audit.Verdict{Says: says, Targets: []audit.Target{{Class: "stop", Evidence: look.Evidence{Says: says, Look: by}}}}
			f, err := scoreFigure(&Outcome{Verdict: v, Trained: &abl.Result{Suspects: []isolate.Suspect{{Isolated: true}, {Index: 1, Score: 1}}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(f.Caption, byPixels); got != (want != "" && says == look.Poisoned) {
				t.Errorf("%s, %s: %s", says, by, f.Caption)
			}
		}
	}
}

// A pattern under many labels is told once, not a label at a time.
func TestVerdictSumsUpCommonPatterns(t *testing.T) {
	for says, want := range map[look.Says]string{
		look.Poisoned:   "90 images under 2 labels carry the same pattern, and their labels are wrong",
		look.CantTell:   "whether their labels are right was not looked at",
		look.NoEvidence: "a mark that they share",
	} {
		v := &audit.Verdict{Says: says, Targets: []audit.Target{
			{Class: "stop", Evidence: look.Evidence{Says: says, Look: common.Name, Facts: common.Facts{Counts: look.Counts{Flagged: 40}}}}, {Class: "yield", Evidence: look.Evidence{Says: says, Look: common.Name, Facts: common.Facts{Counts: look.Counts{Flagged: 50}}}},
		}}
		if says == look.Poisoned { // and one label where it is right
			v.Targets = append(v.Targets, audit.Target{Class: "ahead", Evidence: look.Evidence{Says: look.NoEvidence, Look: common.Name, Facts: common.Facts{Counts: look.Counts{Flagged: 60}}}})
		}
		s := strings.Join(verdictSentences(v), "\n")
		if !strings.Contains(s, want) || strings.Contains(s, "Under the label") {
			t.Errorf("%s: %s", says, s)
		}
	}
}
