package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
)

// A label is told once, by what speaks loudest of it.
func TestSummaryTellsALabelOnce(t *testing.T) {
	var out bytes.Buffer
	of := func(label int, class string, says look.Says, flagged int) audit.Target {
		return audit.Target{Class: class, Evidence: look.Evidence{Label: label, Says: says, Facts: look.Counts{Flagged: flagged, Images: 90}}}
	}
	(&app{out: &out}).sumVerdict(&audit.Verdict{Says: look.Shortcut, Odd: 7, Targets: []audit.Target{
		of(0, "stop", look.Shortcut, 40), of(0, "stop", look.CantTell, 50), of(1, "yield", look.CantTell, 60), of(2, "ahead", look.NoEvidence, 70),
	}})
	got := out.String()
	for want, is := range map[string]bool{"40 of 90": true, "50 of 90": false, "60 of 90": true, "70 of 90": false, "7 images show another class": true} {
		if strings.Contains(got, want) != is {
			t.Errorf("%q in the summary: expected %v\n%s", want, is, got)
		}
	}
}
