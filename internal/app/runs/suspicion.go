package runs

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/report"
	"github.com/unpoison/unpoison/rng"
)

// What a page shows of the suspects beside the images themselves.

// scoreFigure plots the scores of isolated and kept images.
func scoreFigure(o *Outcome) (report.Figure, error) {
	var groups [2][]float32
	for _, s := range o.Trained.Suspects {
		k := 0
		if s.Isolated {
			k = 1
		}
		groups[k] = append(groups[k], s.Score)
	}
	top := 1e-3
	if n := len(groups[0]); n > 0 { // they come in the order of their scores
		top = max(top, float64(groups[0][n*95/100]))
	}
	return report.HistogramFigure("Scores", "Low: learnt early, as planted images mostly are. The highest twentieth is counted at the right edge.",
		report.Axes{X: "score (loss)", Y: "share of the group"}, [2]string{"kept images", "isolated images"}, report.Spread(top, groups))
}

// aside is what the images are that a run set aside: auto suspects them, isolation always takes its share.
func aside(v *audit.Verdict) string {
	if v != nil {
		return "suspected"
	}
	return "isolated"
}

// classTable counts the suspects of each class, most first.
func classTable(o *Outcome) report.Table {
	total, isolated := o.Train.Counts(), isolatedByLabel(o.Trained.Suspects, o.Train)
	order := rng.Iota(len(total))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(isolated[b], isolated[a]) })
	t := report.Table{Title: "Suspects by label", Columns: []string{"label", "images", aside(o.Verdict), "share of the class"}}
	const most = 12
	for _, c := range order[:min(most, len(order))] {
		if isolated[c] == 0 {
			break
		}
		t.Rows = append(t.Rows, []string{
			o.Train.Classes[c], fmt.Sprint(total[c]), fmt.Sprint(isolated[c]), fmt.Sprintf("%.1f\u00a0%%", 100*float64(isolated[c])/float64(max(1, total[c]))),
		})
	}
	if len(order) > most && isolated[order[most]] > 0 {
		t.Note = fmt.Sprintf("%d more labels have no more than the last of these.", len(order)-most)
	}
	return t
}

// commonImages shows what the isolated images of their commonest label have in common.
func commonImages(o *Outcome) (e report.Evidence, ok bool) {
	counts := isolatedByLabel(o.Trained.Suspects, o.Train)
	class := slices.Index(counts, slices.Max(counts))
	s := stripOf(o, class)
	if len(s.Pairs) == 0 {
		return e, false
	}
	return report.Evidence{
		Title: "What the isolated images labelled " + o.Train.Classes[class] + " have in common", Strip: s,
		Text: "The pattern is the difference of the means of the isolated images and of the label's others. The upper row was isolated, the lower shows the most similar image that was not.",
	}, true
}

// probability says how probably an image was planted.
func probability(s isolate.Suspect) string {
	if s.Doubtful {
		return "stands out"
	}
	return fmt.Sprintf("%.0f\u00a0%%", 100*s.Probability)
}

// stripOf shows what the suspects of a label have in common, the surest first; where the verdict can't tell, what stands out.
func stripOf(o *Outcome, class int) report.Strip {
	doubtful := o.Verdict != nil && o.Verdict.Says == look.CantTell
	var with, without, places []int // places in the list
	var of []isolate.Suspect
	for place, s := range o.Trained.Suspects {
		switch {
		case int(o.Train.Labels[s.Index]) != class:
		case s.Isolated, doubtful && s.Doubtful:
			with, of, places = append(with, s.Index), append(of, s), append(places, place)
		default:
			without = append(without, s.Index)
		}
	}
	return findings.Strip(o.Train, with, without, func(k int) string {
		if o.Verdict == nil {
			return fmt.Sprintf("rank %d", places[k]+1)
		}
		if of[k].Doubtful {
			return ""
		}
		return probability(of[k])
	})
}

// headOf is a page's first screen, and what each look saw.
func headOf(folder string, o *Outcome) (*report.Head, []report.Evidence) {
	r := o.Result
	c := &findings.Case{
		Verdict: r.Verdict, Classes: o.Train.Classes, Images: o.Train.Len(), Defense: string(r.Defense), Layout: r.Data.Layout, Data: r.Data.Spec(), ReadWith: r.Data.Whole(), Run: cmp.Or(o.called, folder),
	}
	if r.Attack != nil {
		c.Planted = findings.Quote(cmp.Or(r.Attack.Settings.Spec(), r.Attack.Name))
	}
	const strips = 3 // beside the first label's
	shown := map[string]report.Strip{}
	for k, t := range findings.Told(r.Verdict) {
		if k > strips {
			break
		}
		if s := stripOf(o, t.Label); k == 0 {
			c.Strip = s
		} else {
			shown[t.Class] = s
		}
	}
	all := c.Evidence()
	for k := range all {
		if s, ok := shown[all[k].Class]; ok && !all[k].Weak {
			all[k].Strip = s
			delete(shown, all[k].Class)
		}
	}
	return c.Head(), all
}
