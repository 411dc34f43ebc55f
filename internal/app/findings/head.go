package findings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/audit"
	looks "github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/report"
)

// Case is what a page is told of an audit.
type Case struct {
	Verdict *audit.Verdict
	Classes []string
	Images  int    // of the training set
	Defense string // the run's
	Layout  string
	Data    string // as --data takes it
	Run     string // the folder
	// ReadWith are the flags that the data are read with.
	ReadWith []string

	Strip report.Strip

	Planted   string // the attack that the run itself planted, as a word of a command line, so that its data hold no suspects to review; empty for none
	Reviewing bool   // whether the page is the one on which suspects are reviewed
}

// Head is the first screen of a page about a verdict.
func (c *Case) Head() *report.Head {
	v := c.Verdict
	says := v.Says.String()
	w := wordFor(says)
	h := &report.Head{
		Kicker: fmt.Sprintf("unpoison %s · %s · %s under %s", c.Defense, c.Layout, report.Plural(c.Images, "image"), report.Plural(len(c.Classes), "label")),
		Word:   says, Alarm: w.alarm, Lead: w.lead, Strip: c.Strip, Next: w.steps(Words(append([]string{c.Data}, c.ReadWith...)), c.Run),
	}
	if strings.Contains(w.lead, "%s") {
		h.Lead = fmt.Sprintf(w.lead, c.subject())
	}
	switch {
	case v.Untold && v.Says < looks.Poisoned:
		h.Lead, h.Next = c.untold(h.Lead), append([]report.Step{tell}, h.Next...)
	case v.Says >= looks.Shortcut && unweighed(Told(v)):
		h.Lead = c.subject() + " carry something that other images do not. Whether their labels are correct was not checked."
	case v.Says == looks.NoEvidence && v.Without(looks.ByContent):
		h.Lead = "No pattern of pixels looks planted. Labels were not compared with what the images show."
	case v.Says == looks.NoEvidence && v.Without(looks.ByPixels):
		h.Lead = "No images whose labels contradict what they show look planted. Patterns of pixels were not looked for."
	}
	if others := c.besides(); len(others) > 0 {
		h.Lead += fmt.Sprintf(" In addition, images labelled %s share a mark: a shortcut.", under(others))
	}
	h.Sure, h.Label = c.sure(w), c.label()
	h.Strip.Note = w.looks
	h.Looks.Text = []string{w.looks}
	if len(c.Strip.Pairs) == 0 && c.Verdict.Says != looks.NoEvidence {
		h.Looks.Text = []string{"See the suspects below."}
	}
	switch {
	case c.Reviewing:
		h.Next = reviewing
	case c.Planted != "" && v.Says != looks.NoEvidence:
		h.Next = planted(c.Planted, Words(append([]string{c.Data}, c.ReadWith...)))
	}
	return h
}

// untold is the lead where networks can't tell the labels by what images show: nothing was compared then but pixels.
func (c *Case) untold(lead string) string {
	switch says := c.Verdict.Says; {
	case says == looks.NoEvidence && c.Verdict.Without(looks.ByPixels):
		lead = "Nothing could be searched."
	case says == looks.NoEvidence:
		lead = "No pattern of pixels looks planted."
	case says == looks.Shortcut:
		lead = c.subject() + " carry something that other images do not."
	}
	return lead + " Nobody can tell whether the labels are correct: from these images, networks learn no more of them than how common each is."
}

// unweighed tells whether nothing compared the labels of what was found with what the images show, as without the look at content.
func unweighed(told []audit.Target) bool {
	for _, t := range told {
		if t.Right != nil || t.Look != pixels.Name {
			return false
		}
	}
	return len(told) > 0
}

// Told are the targets that say what the verdict says, one a label.
func Told(v *audit.Verdict) []audit.Target {
	var all []audit.Target
	if v.Says == looks.NoEvidence {
		return nil
	}
	for _, t := range v.Targets {
		if t.Says == v.Says && !slices.ContainsFunc(all, func(o audit.Target) bool { return o.Label == t.Label }) {
			all = append(all, t)
		}
	}
	return all
}

// besides are the targets that something else was found under than the verdict says, one a label.
func (c *Case) besides() []audit.Target {
	told := Told(c.Verdict)
	var all []audit.Target
	for _, t := range c.Verdict.Targets {
		of := func(o audit.Target) bool { return o.Label == t.Label }
		if t.Found() && !slices.ContainsFunc(told, of) && !slices.ContainsFunc(all, of) {
			all = append(all, t)
		}
	}
	return all
}

// under names a label, or how many.
func under(all []audit.Target) string {
	switch len(all) {
	case 0:
		return "no label"
	case 1:
		return all[0].Class
	case 2:
		return all[0].Class + " and " + all[1].Class
	}
	return fmt.Sprintf("%s and %d more labels", all[0].Class, len(all)-1)
}

// subject is who a lead speaks of.
func (c *Case) subject() string {
	told := Told(c.Verdict)
	n, share := c.Verdict.Removed, c.Verdict.Rate
	if len(c.besides()) > 0 {
		n = 0
	}
	if n == 0 { // nothing was removed where nobody can tell
		for _, t := range told {
			n += looks.CountsOf(t.Evidence).Flagged
		}
		share = float64(n) / float64(max(1, c.Images))
	}
	if len(told) == 0 {
		return fmt.Sprintf("%s (%s)", report.Plural(n, "image"), percent(share))
	}
	return fmt.Sprintf("%s labelled %s (%s of all)", report.Plural(n, "image"), under(told), percent(share))
}

// sure says how often such verdicts were wrong.
func (c *Case) sure(w word) report.Answer {
	var a report.Answer
	m := c.Verdict.Measured
	switch {
	case c.Verdict.Untold:
		a.Short = "Not measured"
		a.Text = append(a.Text, "How often such verdicts are wrong was not measured on data whose labels nobody can tell by what the images show.")
	case m == nil || c.Verdict.Says == looks.NoEvidence && m.Poisoned.Sets == 0:
		a.Short = "Not measured"
		a.Text = append(a.Text, "How often such verdicts are wrong was not measured for this configuration.")
	case c.Verdict.Says == looks.NoEvidence:
		n := m.Poisoned
		a.Short = fmt.Sprintf("%d of %s missed", n.Wrong, report.Plural(n.Sets, "poisoned set"))
		a.Picture = report.Dots(n.Wrong, n.Sets)
		a.Text = append(a.Text, fmt.Sprintf("Of so many poisoned sets, the verdict was not “poisoned” or named another label; for %d of them it was “can’t tell”. With 95\u00a0%% confidence, at most %s of such sets are missed.", m.Open, percent(n.AtMost))+on("attacks", "; ", m.Attacks)+on("images of", ", ", m.Planted))
	default:
		n := m.Clean
		a.Short = fmt.Sprintf("%d false alarms in %s", n.Wrong, report.Plural(n.Sets, "clean set"))
		a.Picture = report.Dots(n.Wrong, n.Sets)
		a.Text = append(a.Text, fmt.Sprintf("No setting was chosen on these sets. With 95\u00a0%% confidence, at most %s of such sets give a false alarm; by family, because sets of a family share images, at most %s (%d of %d). For %s the verdict was “can’t tell”.",
			percent(n.AtMost), percent(m.ByFamily.AtMost), m.ByFamily.Wrong, m.ByFamily.Sets, report.Plural(m.Unsure, "set"))+on("", ", ", m.Families))
	}
	a.Text = append(a.Text, strength(c.Verdict)...)
	if w.sure != "" {
		a.Text = append(a.Text, w.sure)
	}
	return a
}

// strength says how strong the evidence is, and how strong that is of clean sets.
func strength(v *audit.Verdict) []string {
	k := v.Calibration
	if k == nil {
		return nil
	}
	text := fmt.Sprintf("The evidence has strength %.2f; 1 just reaches all thresholds, and labels without a finding have at most %.2f. Of %s that the thresholds were chosen on, %d are at least as strong (p = %.3f); the strongest has %.2f.",
		v.Strength, v.Next, report.Plural(k.Sets, "clean set"), k.AsStrong, k.P, k.Highest)
	if len(k.Unlike) > 0 {
		text += " Your data differ from those: " + strings.Join(k.Unlike, "; ") + "."
	}
	return []string{text}
}

// on says what error rates were measured on.
func on(what, between string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " Measured on " + strings.TrimSpace(what+" "+strings.Join(names, between)) + "."
}

// label names the labels, and shows what share of their images stands out.
func (c *Case) label() report.Answer {
	told := Told(c.Verdict)
	if len(told) == 0 {
		by := ""
		switch v := c.Verdict; {
		case v.Untold && v.Without(looks.ByPixels):
			return report.Answer{Short: "None", Text: []string{"No label could be searched."}}
		case v.Untold, v.Without(looks.ByContent):
			by = " for patterns of pixels"
		case v.Without(looks.ByPixels):
			by = " for labels that contradict what images show"
		}
		return report.Answer{Short: "None", Text: []string{fmt.Sprintf("All %s were searched%s.", report.Plural(len(c.Classes), "label"), by)}}
	}
	const most = 3
	a := report.Answer{Short: under(told), Text: []string{"Share of the label's images that stand out."}}
	var bars []report.Share
	n := looks.CountsOf(told[0].Evidence)
	for _, t := range told[:min(most, len(told))] {
		k := looks.CountsOf(t.Evidence)
		bars = append(bars, report.Share{Name: "labelled " + t.Class, Part: k.Flagged, Whole: k.Images})
	}
	if len(told) == 1 {
		bars = append(bars, report.Share{Name: "other labels", Part: n.Leak, Whole: n.Others})
		a.Text = []string{"Share of images that stand out: of those with the label, and of those with other labels that were checked."}
	}
	if n.Images > 0 {
		a.Picture = report.Shares(bars...)
	}
	return a
}

// Evidence shows what each look saw of each label, what speaks for the verdict first.
func (c *Case) Evidence() []report.Evidence {
	var all []report.Evidence
	for _, t := range c.Verdict.Targets {
		s := see(t, c.Classes)
		if c.Verdict.Untold && t.Look == looks.ByContent && t.Says == looks.NoEvidence {
			s = sight{text: "What these images show could not be compared with their label: networks know it no better than how common it is."}
		}
		all = append(all, report.Evidence{
			Title: fmt.Sprintf("%s: %s", t.Class, t.Look), Class: t.Class, Text: s.text, Picture: s.picture,
			Weak: t.Says == looks.NoEvidence && t.Look != common.Name,
		})
	}
	slices.SortStableFunc(all, func(a, b report.Evidence) int { return stat.Bit(a.Weak) - stat.Bit(b.Weak) })
	return all
}
