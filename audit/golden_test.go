package audit_test

import (
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/biased"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/features"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/internal/testkit/golden"
)

// judged is facts that a rule judges.
type judged interface{ Says() look.Says }

// facts returns those of evidence that was read.
func facts(t *testing.T, e look.Evidence) judged {
	t.Helper()
	var f judged
	ok := false
	switch e.Look {
	case pixels.Name:
		f, ok = factsOf[pixels.Facts](e)
	case common.Name:
		f, ok = factsOf[common.Facts](e)
	case biased.Name, biased.Labels:
		f, ok = factsOf[biased.Facts](e)
	case features.Name:
		f, ok = factsOf[features.Facts](e)
	}
	if !ok {
		t.Fatalf("no facts in %+v", e)
	}
	return f
}

func factsOf[T judged](e look.Evidence) (judged, bool) { return look.FactsOf[T](e) }

// The finished sets' statistics give the same verdicts as when they were measured.
func TestFinishedSetsAreJudgedTheSame(t *testing.T) {
	sets, err := golden.Verdicts()
	if err != nil {
		t.Fatal(err)
	}
	if len(sets) != 61+62+22 {
		t.Fatalf("%d sets", len(sets))
	}
	for _, s := range sets {
		says := look.NoEvidence
		for _, target := range s.Targets {
			got := facts(t, target.Evidence).Says()
			if got != target.Says {
				t.Errorf("%s, %s by %s: %s, was %s: %+v", s.Name, target.Class, target.Look, got, target.Says, facts(t, target.Evidence))
			}
			says = max(says, got)
		}
		if says != s.Says {
			t.Errorf("%s: %s, was %s", s.Name, says, s.Says)
		}
	}
}
