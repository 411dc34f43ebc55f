package review

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/report"
)

// head is the page's first screen, the same as the report's; empty for a run without a verdict.
func (r *Review) head() (template.HTML, error) {
	v := r.summary.full
	if v == nil {
		return "", nil
	}
	c := findings.Case{
		Verdict: v, Classes: r.data.Classes, Images: r.data.Len(), Defense: "review", Layout: r.summary.Data.Layout, Data: r.summary.Data.Spec(), ReadWith: r.summary.Data.Whole(), Run: r.run, Reviewing: true,
	}
	if told := findings.Told(v); len(told) > 0 {
		c.Strip = r.strip(told[0].Class)
	}
	return c.Head().HTML()
}

// strip shows what the suspects of a label have in common; where the run can't tell, what stands out.
func (r *Review) strip(class string) report.Strip {
	label := slices.Index(r.data.Classes, class)
	if label < 0 {
		return report.Strip{}
	}
	var with, without []int
	var of []Suspect
	doubtful := r.summary.full.Says == look.CantTell
	carries := func(s Suspect) bool { return s.Suspected || doubtful && s.Doubtful }
	for _, s := range r.suspects {
		if carries(s) && s.Label == class {
			with, of = append(with, s.Index), append(of, s)
		}
	}
	for i, l := range r.data.Labels {
		if k, ok := r.at[i]; int(l) == label && (!ok || !carries(r.suspects[k])) {
			without = append(without, i)
		}
	}
	return findings.Strip(r.data, with, without, func(k int) string {
		if doubtful || !of[k].Rated {
			return ""
		}
		return fmt.Sprintf("%.0f\u00a0%%", 100*of[k].Probability)
	})
}
