package cli

import (
	"fmt"
	"unicode/utf8"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/printable"
	"github.com/unpoison/unpoison/report"
)

// row prints a line of a summary: what it is, and a sentence. Names in it stay on the line.
func (a *app) row(name, format string, args ...any) {
	fmt.Fprintln(a.out, printable.Text(fmt.Sprintf("  %-22s"+format, append([]any{name}, args...)...)))
}

// columnMost bounds the column of class names: a longer one moves the rest of its line alone.
const columnMost = 60

// column makes names printable and gives them all the width that the longest needs, at least so much. They end with two spaces.
func column(names []string, least int) []string {
	width, padded := least-2, make([]string, len(names))
	for i, n := range names {
		padded[i] = printable.Text(n)
		width = max(width, min(columnMost, utf8.RuneCountInString(padded[i])))
	}
	for i, n := range padded {
		padded[i] = fmt.Sprintf("%-*s  ", width, n)
	}
	return padded
}

// report prints what a run found.
func (a *app) report(folder string, r *runs.Result) error {
	if a.json {
		return a.printJSON(r)
	}
	fmt.Fprintln(a.out, printable.Text(folder))
	a.row("data", "%s, %d training and %d test images", r.Data.Layout, r.Data.Train, r.Data.Test)
	for _, w := range r.Data.Warnings() {
		a.row("", "%s", w)
	}
	a.sumAttacks(r)
	if r.Verdict != nil {
		a.sumVerdict(r.Verdict)
	}
	for k, l := range r.Spikes {
		a.row([]string{"spikes", ""}[min(k, 1)], "%s", runs.SpikeSentence(l))
	}
	if b := r.Baseline; b != nil {
		a.row("baseline", "%d suspects known, %d new among its images", b.Known, b.NewOfOld)
		a.row("", "%d new among %s that came in, %s gone", b.NewOfAdded, report.Plural(b.Added, "image"), report.Plural(b.Gone, "image"))
	}
	if r.Isolation != nil {
		a.sumIsolation(r.Isolation, r.Verdict != nil)
	}
	if r.Unlearning != nil {
		a.sumUnlearning(r.Unlearning)
	}
	speed := ""
	if r.ImagesPerSecond > 0 { // of a training that is not the search's
		speed = fmt.Sprintf(" %.0f img/s,", r.ImagesPerSecond)
	}
	a.row("time", "%.0f s,%s peak memory %d MB", r.Seconds["total"], speed, r.PeakMemory>>20)
	return nil
}

// sumAttacks says what was planted and what came of it.
func (a *app) sumAttacks(r *runs.Result) {
	for _, p := range r.Attacks {
		a.row("planted", "%s in %.4g %%, target %s", p.Name, 100*p.Rate, p.Settings.Aim(r.Data.Classes))
	}
	if r.CA != nil {
		a.row("clean accuracy", "%.2f %%", *r.CA)
	}
	for _, p := range r.Attacks {
		if p.ASR != nil {
			a.row("attack success rate", "%.2f %%", *p.ASR)
		} else if r.CA != nil {
			a.row("attack success rate", "–, %v", errNoneAimed)
		}
		if p.RA != nil {
			a.row("robust accuracy", "%.2f %% of triggered images classified correctly", *p.RA)
		}
		if p.RATarget != nil {
			a.row("", "%.2f %% of those of the target class", *p.RATarget)
		}
		if p.Covered != nil {
			a.row("cover images", "%.2f %% classified correctly", *p.Covered)
		}
	}
}

// sumVerdict says what a search found.
func (a *app) sumVerdict(v *audit.Verdict) {
	a.row("verdict", "%s", v.Says)
	if v.Untold {
		a.row("", "networks can't tell the labels by what the images show:")
		if v.Without(look.ByPixels) {
			a.row("", "nothing could be searched")
		} else {
			a.row("", "only patterns of pixels can be found")
		}
	}
	if v.Without(look.ByContent) {
		a.row("", "labels were not compared with what the images show")
	}
	if v.Without(look.ByPixels) {
		a.row("", "patterns of pixels were not looked for")
	}
	if c := v.Common(); c != nil && c.Says != look.NoEvidence {
		a.row("", "%s under %s: %d images share a pattern", c.Says, c.Under(), c.Images)
	}
	told := map[int]bool{} // labels: what speaks loudest comes first
	for _, t := range v.Targets {
		if t.Says != look.NoEvidence && t.Look != common.Name && !told[t.Label] {
			told[t.Label] = true
			n := look.CountsOf(t.Evidence)
			a.row("", "%s under %s: %d of %d images", t.Says, t.Class, n.Flagged, n.Images)
		}
	}
	if v.Cleared > 0 {
		a.row("", "%s of these kept: they clearly show their label", report.Plural(v.Cleared, "image"))
	}
	if v.Odd > 0 {
		a.row("odd labels", "%s of another class than the label says; see %s", report.Plural(v.Odd, "image"), runs.OddFile)
	}
	if m := v.Measured; m != nil {
		name := "measured errors" // of the verdict that this one is, or of both
		if v.Says != look.NoEvidence {
			a.row(name, "%d of %d clean sets called poisoned (at most %.1f %%)", m.Clean.Wrong, m.Clean.Sets, 100*m.Clean.AtMost)
			a.row("", "in %d of their %d families (at most %.1f %%)", m.ByFamily.Wrong, m.ByFamily.Sets, 100*m.ByFamily.AtMost)
			name = ""
		}
		if v.Says < look.Shortcut && m.Poisoned.Sets > 0 {
			a.row(name, "%d of %d poisoned sets missed (at most %.1f %%)", m.Poisoned.Wrong, m.Poisoned.Sets, 100*m.Poisoned.AtMost)
		}
	}
	if k := v.Calibration; k != nil {
		a.row("strength", "%.2f (1 reaches all thresholds; other labels %.2f)", v.Strength, v.Next)
		a.row("", "%d of %d clean sets are at least as strong (p = %.3f)", k.AsStrong, k.Sets, k.P)
		for _, u := range k.Unlike {
			a.row("", "your data differ: %s", u)
		}
	}
	if v.Remaining != nil {
		name := "ASR, estimated"
		if v.Says < look.Poisoned { // where labels are right it is accuracy, and where nobody looked at them, either
			name = "removed images"
		}
		a.row(name, "%.2f %% of %d removed, unseen images keep their label", 100**v.Remaining, v.HeldBack)
		a.row("", "(with 95 %% confidence at most %.2f %%)", 100*v.RemainingAtMost)
	}
}

// sumIsolation says what was set aside, by a search or by isolation alone.
func (a *app) sumIsolation(i *runs.Isolation, searched bool) {
	if searched {
		a.row("suspected", "%.1f %% of the images", 100*i.Rate)
		if i.Recall != nil && i.FPR != nil {
			a.row("", "%.2f %% of the poisoned and %.3f %% of the clean ones", 100**i.Recall, 100**i.FPR)
		}
		return
	}
	a.row("isolated", "%.1f %%, %.0f %% of them labelled %s", 100*i.Rate, 100*i.TopShare, i.TopClass)
	if i.Precision != nil {
		a.row("isolation precision", "%.3f (AUROC %.3f)", *i.Precision, *i.AUROC)
	}
}

// sumUnlearning says what unlearning did.
func (a *app) sumUnlearning(u *abl.Outcome) { a.row("unlearning", "%s", unlearnt(u)) }

func unlearnt(u *abl.Outcome) string {
	switch {
	case u.RolledBack:
		return fmt.Sprintf("rolled back, since %s; %.0f %% of the isolated images known", u.Because(), 100*u.Isolated)
	case !u.Unlearnt:
		return fmt.Sprintf("the network still knows %.0f %% of the isolated images", 100*u.Isolated)
	}
	return "the isolated images are unlearnt"
}
