package experiment

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/report"
)

// measured counts what verdicts with default settings said of the sets that they were measured on, by family where nothing was
// planted, and by attack.
func measured(sets []audit.MeasuredSet) report.Table {
	t := report.Table{Columns: []string{"for", "data or attack", "truth", "sets", "right", "can't tell", "false alarms or misses", "highest strength", "planted found %", "others removed %"}}
	const poisoned = "poisoned"
	type kind struct{ role, what, truth string }
	type count struct {
		sets, right, unsure int
		strength, tpr, fpr  float64
	}
	counts := map[kind]*count{}
	now, before := 0, 0
	var order []kind
	for _, s := range sets {
		k := kind{"choosing", s.Truth, poisoned}
		if s.Reports {
			k.role = "reporting"
		}
		switch {
		case s.Fails && !s.Earlier:
			k.role += ", fails"
		case s.Larger():
			k.role += ", larger"
		case s.Earlier:
			k.role += ", earlier"
		}
		if s.Truth == audit.TruthClean || s.Truth == audit.TruthMarked {
			k.what, k.truth = s.Family, s.Truth
		}
		c := counts[k]
		if c == nil {
			c = new(count)
			counts[k], order = c, append(order, k)
		}
		if !s.Larger() {
			now += stat.Bit(!s.Earlier)
			before += stat.Bit(s.BySample)
		}
		c.sets++
		c.right += stat.Bit(s.Right && s.Says != look.CantTell)
		c.unsure += stat.Bit(s.Says == look.CantTell)
		c.tpr, c.fpr = c.tpr+s.TPR, c.fpr+s.FPR
		c.strength = max(c.strength, s.Strength)
	}
	slices.SortStableFunc(order, func(a, b kind) int {
		return cmp.Or(cmp.Compare(b.role, a.role), cmp.Compare(a.truth, b.truth), cmp.Compare(a.what, b.what))
	})
	for _, k := range order {
		c := counts[k]
		found := "–"
		if k.truth == poisoned {
			found = fmt.Sprintf("%.1f", 100*c.tpr/float64(c.sets))
		}
		t.Rows = append(t.Rows, []string{
			k.role, k.what, k.truth, fmt.Sprint(c.sets), fmt.Sprint(c.right), fmt.Sprint(c.unsure), fmt.Sprint(c.sets - c.right - c.unsure), fmt.Sprintf("%.2f", c.strength),
			found, fmt.Sprintf("%.2f", 100*c.fpr/float64(c.sets)),
		})
	}
	t.Note = ratesNote(audit.Rates(sets))
	if before > 0 { // what was measured again is in the history of results/detect
		t.Note += fmt.Sprintf(" %d of the %d sets that are neither *earlier* nor *larger* were measured with previous versions of the search. 55 such sets (four of them poisoned) were measured again: 53 gave the same figures, two (faces) had other images by then. Looks that changed later were repeated: `pixels` on all of these sets, `common` on those where one label has many of the images. For halves of images, sets drawn by chance were measured again, with the same figures. Parts of labels came last: the other %d sets were measured with them, and those among them that had been before gave the same figures, but for three poisoned ones, which are found now.", before, now, now-before)
	}
	return t
}

// ratesNote says how often verdicts were wrong on the sets that report.
func ratesNote(r audit.ErrorRates) string {
	of := func(e audit.Errors) string { return fmt.Sprintf("%d of %d", e.Wrong, e.Sets) }
	most := func(e audit.Errors) string { return fmt.Sprintf("at most %.1f %%", 100*e.AtMost) }
	return fmt.Sprintf("Reporting sets: false alarms in %s clean or marked ones (with 95 %% confidence %s of such sets; by family %s, %s); %s poisoned ones missed (%s).",
		of(r.Clean), most(r.Clean), of(r.ByFamily), most(r.ByFamily), of(r.Poisoned), most(r.Poisoned))
}
