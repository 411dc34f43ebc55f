package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// A word fails with itself and with all that say less, and what is found is said in words of its own.
func TestFailingWords(t *testing.T) {
	for _, c := range []struct {
		on       string
		findings bool
		fails    map[look.Says]bool
	}{
		{"", false, map[look.Says]bool{}},
		{"poisoned", false, map[look.Says]bool{look.Poisoned: true}},
		{"shortcut", false, map[look.Says]bool{look.Poisoned: true, look.Shortcut: true}},
		{"any", false, map[look.Says]bool{look.Poisoned: true, look.Shortcut: true, look.CantTell: true}},
		{"", true, map[look.Says]bool{look.Poisoned: true, look.Shortcut: true, look.CantTell: true}},
	} {
		least, err := failing(c.on, c.findings)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]bool{}
		for _, says := range []look.Says{look.NoEvidence, look.CantTell, look.Shortcut, look.Poisoned} {
			if (says >= least) != c.fails[says] {
				t.Errorf("--fail-on %q: %s fails: %v", c.on, says, says >= least)
			}
			v := &audit.Verdict{Says: says}
			if says >= look.Shortcut {
				v.Removed = 3
			}
			text, _ := findings(&runs.Result{Verdict: v}, "out")
			if (text == "") != (says == look.NoEvidence) || texts[text] {
				t.Errorf("%s: %q", says, text)
			}
			texts[text] = true
			var out bytes.Buffer
			if err := (&app{out: &out}).conclude(&runs.Result{Verdict: v}, "out", look.Poisoned+1); err != nil || strings.Contains(out.String(), " review out") != (says > look.NoEvidence) {
				t.Errorf("%s, whatever it exits with: %q, %v", says, out.String(), err)
			}
		}
	}
	for on, findings := range map[string]bool{"everything": false, "poisoned": true} {
		if _, err := failing(on, findings); err == nil {
			t.Errorf("--fail-on %s beside --fail-on-findings %v passes", on, findings)
		}
	}
}

// Beside a baseline, what can't be told fails where more stands out than before.
func TestDoubtBesideABaseline(t *testing.T) {
	for _, c := range []struct {
		found runs.Comparison
		news  bool
	}{{runs.Comparison{}, false}, {runs.Comparison{Known: 2}, false}, {runs.Comparison{NewInDoubt: 1}, true}} {
		r := &runs.Result{Verdict: &audit.Verdict{Says: look.CantTell}, Baseline: &c.found}
		if err := (&app{out: &bytes.Buffer{}}).conclude(r, "out", look.CantTell); (err != nil) != c.news {
			t.Errorf("%+v: %v", c.found, err)
		}
	}
}

// Beside a baseline, too, a shortcut is not said to be planted.
func TestShortcutBesideABaseline(t *testing.T) {
	for says, want := range map[look.Says]string{look.Shortcut: "in the baseline share a mark under one label, planted or honest; see ", look.Poisoned: "in the baseline look poisoned; see "} {
		r := &runs.Result{Verdict: &audit.Verdict{Says: says, Removed: 9, Targets: []audit.Target{{Class: "stop", Evidence: look.Evidence{Says: says}}}}, Baseline: &runs.Comparison{NewOfOld: 3}}
		if text, got := findings(r, "out"); got != says || !strings.HasPrefix(text, "3 more images than "+want) {
			t.Errorf("%s: %s", says, text)
		}
	}
}

// An exit code is that of the news, not of what was known.
func TestNewsFails(t *testing.T) {
	v := &audit.Verdict{Says: look.Poisoned, Removed: 5}
	r := &runs.Result{Verdict: v, Baseline: &runs.Comparison{Known: 5, NewInDoubt: 2}}
	for least, fails := range map[look.Says]bool{look.Poisoned: false, look.CantTell: true} {
		if err := (&app{out: &bytes.Buffer{}}).conclude(r, "out", least); (err != nil) != fails {
			t.Errorf("from %s on: %v", least, err)
		}
	}
}
