package audit_test

import (
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/internal/testkit/golden"
)

// Patterns that were found in finished sets are found by the rules of today. Of clean sets none is, but those that are near: what
// their images show tells, or what their pattern does to others.
func TestPatternsOfFinishedSets(t *testing.T) {
	sets, err := golden.Verdicts()
	if err != nil {
		t.Fatal(err)
	}
	alone := look.Limit("pixels", "apart alone")
	found := 0
	for _, s := range sets {
		for _, target := range s.Targets {
			var says look.Says
			var distance float64
			switch target.Look {
			case pixels.Name:
				f, _ := look.FactsOf[pixels.Facts](target.Evidence)
				says, distance = f.Says(), f.Distance
			case common.Name:
				f, _ := look.FactsOf[common.Facts](target.Evidence)
				says, distance = f.Says(), f.Distance
			default:
				continue
			}
			if target.Says == look.Poisoned {
				found++
			}
			if says != target.Says && (target.Says == look.Poisoned || distance >= alone) {
				t.Errorf("%s, %s by %s: %s, was %s, %.2f apart", s.Name, target.Class, target.Look, says, target.Says, distance)
			}
		}
	}
	if found < 50 {
		t.Errorf("%d patterns", found)
	}
}
