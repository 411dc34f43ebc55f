package findings

import (
	"encoding/json"
	"html"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit"
	looks "github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/content"
	"github.com/unpoison/unpoison/audit/look/pixels"
)

func target(says looks.Says, by looks.Name, facts any) audit.Target {
	return audit.Target{Class: "stop", Evidence: looks.Evidence{Says: says, Look: by, Facts: facts}}
}

// Images that come from one class are said to.
func TestContentSaysWhence(t *testing.T) {
	from := 1
	for want, f := range map[string]content.Facts{"whatever they show": {}, "the images that show yield were given": {From: &from}} {
		f.Counts, f.Cases = looks.Counts{Images: 90, Flagged: 30}, 40
		if s := see(target(looks.Poisoned, content.Name, f), []string{"stop", "yield"}).text; !strings.Contains(s, want) {
			t.Errorf("%q is not in: %s", want, s)
		}
	}
}

// Evidence is shown alike whether it comes from a look or from a result that was read, and also by a look that has no case.
func TestEvidenceIsShownAsItWasStored(t *testing.T) {
	counts := looks.Counts{Images: 90, Flagged: 30, Others: 910, Leak: 1}
	for by, facts := range map[looks.Name]any{
		pixels.Name:  pixels.Facts{Counts: counts, Distance: 12},
		content.Name: content.Facts{Counts: counts, Cases: 40, Rate: 0.03, Usual: 0.001, Evidence: 120, Shown: []int{0, 20, 10}},
		"new look":   counts,
	} {
		fresh := target(looks.Poisoned, by, facts)
		raw, err := json.Marshal(fresh)
		if err != nil {
			t.Fatal(err)
		}
		var stored audit.Target
		if err := json.Unmarshal(raw, &stored); err != nil {
			t.Fatal(err)
		}
		classes := []string{"stop", "yield", "<b>"}
		a, b := see(fresh, classes), see(stored, classes)
		if a != b || !strings.Contains(a.text, "30") || !strings.Contains(string(a.picture), "<svg") {
			t.Errorf("%s: %q and %q", by, a, b)
		}
		if strings.Contains(string(a.picture), "<b>") || strings.Contains(string(a.picture), "style=") {
			t.Errorf("%s: the picture has markup of names or styles of its own: %s", by, a.picture)
		}
	}
}

// A lead says that labels contradict what images show only where they were compared.
func TestLeadsSayWhatWasCompared(t *testing.T) {
	for _, right := range []*looks.Right{nil, {Suspects: 0.1, Rest: 0.9}} {
		found := target(looks.Poisoned, pixels.Name, pixels.Facts{Counts: looks.Counts{Images: 90, Flagged: 30}})
		found.Right = right
		c := &Case{Verdict: &audit.Verdict{Says: looks.Poisoned, Removed: 30, Targets: []audit.Target{found}}, Images: 1000}
		if lead := c.Head().Lead; strings.Contains(lead, "contradict") == (right == nil) {
			t.Errorf("%v: %s", right, lead)
		}
	}
}

// Where networks can't tell the labels, nothing says that labels are right, or wrong, or how often such a verdict errs.
func TestLabelsThatNobodyCanTell(t *testing.T) {
	odd := target(looks.NoEvidence, content.Name, content.Facts{Counts: looks.Counts{Images: 90, Flagged: 90}, Cases: 90, Shown: []int{0, 90}})
	for says := looks.NoEvidence; says < looks.Poisoned; says++ {
		v := &audit.Verdict{Says: says, Untold: true, Targets: []audit.Target{odd, target(says, pixels.Name, pixels.Facts{})}}
		c := &Case{Verdict: v, Classes: []string{"stop", "yield"}, Images: 180}
		h := c.Head()
		for _, wrong := range []string{"Nothing in the images", "labels are correct."} {
			if strings.Contains(h.Lead, wrong) {
				t.Errorf("%s: %s", says, h.Lead)
			}
		}
		if !strings.Contains(h.Lead, "Nobody can tell") || h.Sure.Short != "Not measured" {
			t.Errorf("%s: %s; %+v", says, h.Lead, h.Sure)
		}
		for _, e := range c.Evidence() {
			if strings.Contains(e.Text, "merely odd") {
				t.Errorf("%s: %s", says, e.Text)
			}
		}
	}
}

// Where a look was left out, nothing is said to have been searched by it.
func TestLooksThatWereLeftOut(t *testing.T) {
	for _, c := range []struct {
		v                   audit.Verdict
		lead, label, cannot string
	}{
		{audit.Verdict{}, "Nothing in the images looks planted.", "All 2 labels were searched.", "not "},
		{audit.Verdict{Off: []looks.Name{looks.ByContent}}, "Labels were not compared", "searched for patterns of pixels.", "Nothing in"},
		{audit.Verdict{Off: []looks.Name{looks.ByPixels}}, "Patterns of pixels were not looked for", "for labels that contradict", "Nothing in"},
		{audit.Verdict{Off: []looks.Name{looks.ByPixels}, Untold: true}, "Nothing could be searched", "No label could be searched", "No pattern"},
	} {
		h := (&Case{Verdict: &c.v, Classes: []string{"stop", "yield"}, Images: 180}).Head()
		if label := strings.Join(h.Label.Text, " "); !strings.Contains(h.Lead, c.lead) || !strings.Contains(label, c.label) || strings.Contains(h.Lead, c.cannot) {
			t.Errorf("%+v: %s; %s", c.v, h.Lead, label)
		}
	}
}

// A lead counts the images that it speaks of once, also where something else was removed.
func TestLeadsCountOnce(t *testing.T) {
	of := func(label int, class string, says looks.Says, n int) audit.Target {
		return audit.Target{Class: class, Evidence: looks.Evidence{Label: label, Says: says, Look: pixels.Name, Right: &looks.Right{}, Facts: pixels.Facts{Counts: looks.Counts{Images: 60, Flagged: n}}}}
	}
	c := &Case{Images: 125, Verdict: &audit.Verdict{Says: looks.Poisoned, Removed: 50, Rate: 0.4, Targets: []audit.Target{
		of(0, "stop", looks.Poisoned, 30), of(1, "yield", looks.Shortcut, 20),
	}}}
	if lead := c.Head().Lead; !strings.HasPrefix(lead, "30 images labelled stop (24.0\u00a0% of all)") {
		t.Error(lead)
	}
}

// A run that planted what it found names no command that its data can't serve.
func TestPlantedImagesAreNotReviewed(t *testing.T) {
	c := &Case{Verdict: &audit.Verdict{Says: looks.Poisoned, Removed: 30}, Images: 1000, Data: "signs", Run: "run", Planted: "blend"}
	for k, s := range c.Head().Next {
		if want := []string{"", "unpoison attack blend --data signs --out poisoned"}; s.Command != want[k] {
			t.Errorf("%+v", s)
		}
	}
}

// Words of commands are as the shells of a system take them.
func TestQuote(t *testing.T) {
	for s, want := range map[string][2]string{
		`D:\data\t6`: {`'D:\data\t6'`, `D:\data\t6`}, `D:\my data\`: {`'D:\my data\'`, `"D:\my data\\"`},
		"it's": {`'it'\''s'`, `"it's"`}, "a/b": {"a/b", "a/b"}, "": {"''", `""`}, "100%": {"100%", `"100%"`}, "--label=x": {"--label=x", `"--label=x"`},
	} {
		if got := [2]string{quote(s, false), quote(s, true)}; got != want {
			t.Errorf("%q: %q, expected %q", s, got, want)
		}
	}
}

// A run in a folder that begins with a dash is named so that no command takes it for an option.
func TestFoldersThatBeginWithADash(t *testing.T) {
	got := wordFor("poisoned").steps("data", "-run")[1].Command
	if want := "unpoison review " + Quote("."+string(filepath.Separator)+"-run"); got != want {
		t.Errorf("%q, expected %q", got, want)
	}
}

// A page of a run elsewhere names the folder that it has come to, as one word.
func TestMoved(t *testing.T) {
	c := &Case{Verdict: &audit.Verdict{Says: looks.Poisoned, Removed: 30}, Images: 1000, Data: "data", ReadWith: []string{"--skip-bad=true"}, Run: Elsewhere}
	page, err := c.Head().HTML()
	if err != nil {
		t.Fatal(err)
	}
	moved := html.UnescapeString(string(Moved([]byte(page), "my <out>")))
	for _, want := range []string{"unpoison review 'my <out>'<", "data <span>--skip-bad=true </span>", "</span>'my <out>/suspects.csv' <span>"} {
		if !strings.Contains(moved, want) {
			t.Errorf("%q is not in %s", want, moved)
		}
	}
	if strings.Contains(moved, Elsewhere) {
		t.Error(moved)
	}
}

// Every word that a verdict can say has its words, a step to take, and no placeholder is left in a command.
func TestEveryWordHasAHead(t *testing.T) {
	for says := looks.NoEvidence; !strings.HasPrefix(says.String(), "Says("); says++ {
		if _, ok := words[says.String()]; !ok {
			t.Errorf("a verdict can say %q, of which pages know nothing", says)
		}
		v := &audit.Verdict{Says: says, Removed: 30, Rate: 0.03, Targets: []audit.Target{target(says, pixels.Name, pixels.Facts{Counts: looks.Counts{Images: 90, Flagged: 30}})}}
		for _, m := range []*audit.ErrorRates{nil, {Clean: audit.CountErrors(1, 60), Poisoned: audit.CountErrors(3, 70), Families: []string{"road signs"}, Attacks: []string{"badnets, three", "bpp"}}} {
			v.Measured = m
			v.Calibration = v.Calibrate([]audit.MeasuredSet{{Truth: audit.TruthClean, Images: 10, Classes: 2}}, 1000, 2)
			c := &Case{Verdict: v, Classes: []string{"stop", "yield"}, Images: 1000, Defense: "audit", Layout: "folder", Data: "my data", Run: "out/it's"}
			h := c.Head()
			if h.Word != says.String() || h.Lead == "" || strings.Contains(h.Lead, "%!") || h.Sure.Short == "" || h.Label.Short == "" || len(h.Next) == 0 {
				t.Errorf("%s: %+v", says, h)
			}
			on := "Measured on road signs."
			if says == looks.NoEvidence { // such a verdict is wrong on poisoned data
				on = "Measured on attacks badnets, three; bpp."
			}
			if strings.Contains(strings.Join(h.Sure.Text, " "), on) != (m != nil) {
				t.Errorf("%s: %v, expected %q", says, h.Sure.Text, on)
			}
			for _, s := range h.Next {
				if strings.Contains(s.Command, dataHere) || strings.Contains(s.Command, runHere) || strings.Contains(s.Command, listHere) || strings.Contains(s.Command, "'/suspects") || strings.Contains(s.Command, "--data my data") {
					t.Errorf("%s: %s", says, s.Command)
				}
			}
			if html, err := h.HTML(); err != nil || !strings.Contains(string(html), "What to do next") {
				t.Errorf("%s: %v", says, err)
			}
		}
	}
}
