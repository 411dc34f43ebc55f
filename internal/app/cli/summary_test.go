package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/internal/app/runs"
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
	for want, is := range map[string]bool{"40 of 90": true, "50 of 90": false, "60 of 90": true, "70 of 90": false, "7 images of another class": true} {
		if strings.Contains(got, want) != is {
			t.Errorf("%q in the summary: expected %v\n%s", want, is, got)
		}
	}
}

// A summary says where networks can't tell the labels: no evidence is less then.
func TestSummarySaysWhatCouldNotBeCompared(t *testing.T) {
	for _, untold := range []bool{false, true} {
		var out bytes.Buffer
		(&app{out: &out}).sumVerdict(&audit.Verdict{Untold: untold})
		if strings.Contains(out.String(), "can't tell the labels") != untold {
			t.Errorf("%v: %s", untold, out.String())
		}
	}
}

// A summary says which looks were left out: no evidence is less then.
func TestSummarySaysWhatWasNotLookedFor(t *testing.T) {
	for _, c := range []struct {
		v            audit.Verdict
		says, cannot string
	}{
		{audit.Verdict{}, "no evidence", "not "},
		{audit.Verdict{Off: []look.Name{look.ByContent}}, "labels were not compared", "patterns"},
		{audit.Verdict{Off: []look.Name{look.ByPixels}}, "patterns of pixels were not looked for", "labels"},
		{audit.Verdict{Off: []look.Name{look.ByPixels}, Untold: true}, "nothing could be searched", "can be found"},
	} {
		var out bytes.Buffer
		(&app{out: &out}).sumVerdict(&c.v)
		if got := out.String(); !strings.Contains(got, c.says) || strings.Contains(got, c.cannot) {
			t.Errorf("%+v: expected %q and not %q in\n%s", c.v, c.says, c.cannot, got)
		}
	}
}

// A name with line breaks forges no line of a summary or of what is said beside it.
func TestNamesStayOnTheirLine(t *testing.T) {
	const name = "cat\n  verdict               no evidence of poison\rx"
	v := &audit.Verdict{Says: look.Poisoned, Targets: []audit.Target{
		{Class: name, Evidence: look.Evidence{Says: look.Poisoned, Look: common.Name, Facts: look.Counts{Flagged: 4, Images: 9}}},
		{Class: name, Evidence: look.Evidence{Says: look.Poisoned, Label: 1, Facts: look.Counts{Flagged: 4, Images: 9}}},
	}, Calibration: &audit.Calibration{Unlike: []string{name}}}
	r := &runs.Result{Verdict: v, Isolation: &runs.Isolation{TopClass: name}, Data: runs.DataInfo{Single: []string{name}, Empty: []string{name}}}
	for _, searched := range []bool{true, false} {
		if !searched {
			r.Verdict = nil
		}
		var out bytes.Buffer
		a := &app{out: &out, err: &out}
		if err := a.report(name, r); err != nil {
			t.Fatal(err)
		}
		a.watcher()(runs.Event{Event: "note", Text: name})
		got := out.String()
		if n := strings.Count(got, "\n  verdict "); n != map[bool]int{true: 1}[searched] || strings.Contains(got, "\r") || !strings.Contains(got, "cat\\n") {
			t.Errorf("%d verdicts in\n%s", n, got)
		}
	}
}

// What is left of removed images is an attack's success only where there was an attack.
func TestSummaryNamesWhatIsLeft(t *testing.T) {
	share := 0.25
	for says, want := range map[look.Says]string{look.Poisoned: "ASR, estimated", look.Shortcut: "removed images"} {
		var out bytes.Buffer
		(&app{out: &out}).sumVerdict(&audit.Verdict{Says: says, Cleaned: audit.Cleaned{Remaining: &share, HeldBack: 40}})
		if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "ASR") != (says == look.Poisoned) {
			t.Errorf("%s: expected %q in\n%s", says, want, got)
		}
	}
}

// Class names of any length stay apart from what follows, under one another.
func TestNamesKeepTheirColumn(t *testing.T) {
	long, huge := strings.Repeat("é", 30), strings.Repeat("x", 255)
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"cat", "d\ng"}, "cat       |d\\ng      |"},
		{[]string{"cat", long}, "cat" + strings.Repeat(" ", 29) + "|" + long + "  |"},
		{[]string{"cat", huge}, "cat" + strings.Repeat(" ", columnMost-1) + "|" + huge + "  |"},
	} {
		if got := strings.Join(column(c.names, 10), "|") + "|"; got != c.want {
			t.Errorf("%q, expected %q", got, c.want)
		}
	}
	var out strings.Builder
	eighty := 80.0
	(&evalResult{PerClass: []*float64{&eighty}}).print(&out, []string{long})
	if !strings.Contains(out.String(), long+"  80.00 %") {
		t.Error(out.String())
	}
}
