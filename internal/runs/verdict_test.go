package runs

import (
	"strings"
	"testing"

	"github.com/unpoison/unpoison/defense"
)

// Images that were learnt late are not said to have been learnt first: their labels told them.
func TestVerdictSaysWhatTold(t *testing.T) {
	for early, want := range map[float64]string{0.9: "were learnt before it", 0.1: "look like images of other labels"} {
		r := &Result{Verdict: &defense.Verdict{Says: defense.Poisoned, Targets: []defense.Target{{Class: "stop", Says: defense.Poisoned, By: defense.ByFeatures, Early: early}}}}
		if s := strings.Join(verdictSentences(r), "\n"); !strings.Contains(s, want) {
			t.Errorf("early %g: %s", early, s)
		}
	}
}
