package experiment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/report"
)

// gapMeasures are what a defended network is compared in with one that was trained on the same images before the attack.
var gapMeasures = []struct {
	name string
	of   func(res *runs.Result) *float64
}{ // the first three ask about the trigger
	{"ASR %", func(res *runs.Result) *float64 { return res.ASR }},
	{"RA %", func(res *runs.Result) *float64 { return least(res, func(p *runs.Attack) *float64 { return p.RA }) }},
	{"target's RA %", func(res *runs.Result) *float64 {
		return least(res, func(p *runs.Attack) *float64 { return p.RATarget })
	}},
	{"CA %", func(res *runs.Result) *float64 { return res.CA }},
	{"target's CA %", func(res *runs.Result) *float64 {
		return least(res, func(p *runs.Attack) *float64 { return p.CATarget })
	}},
}

// least is the smallest of a measure over a run's attacks, as ASR is the largest.
func least(res *runs.Result, of func(p *runs.Attack) *float64) (worst *float64) {
	for _, p := range res.Attacks {
		if v := of(p); v != nil && (worst == nil || *v < *worst) {
			worst = v
		}
	}
	return worst
}

// ofTrigger is how many of gapMeasures ask about the trigger, which the seed draws.
const ofTrigger = 3

// over returns the mean of a measure over the finished runs of a defence under an attack, of these seeds; nil: of all.
func (r *Runner) over(vary, attack, defense string, seeds []uint64, of func(res *runs.Result) *float64) *float64 {
	var values []*float64
	for _, s := range r.Grid.seeds(defense) {
		if seeds != nil && !slices.Contains(seeds, s) {
			continue
		}
		if res := r.result(Cell{attack, defense, s, vary}); res != nil && len(res.Attacks) > 0 {
			values = append(values, of(res))
		}
	}
	mean, _ := spread(values)
	return mean
}

// gapTable lays the counterfactual gap out: a line for each attack and defence, with the figures of the networks that were trained before
// the attack in brackets. It is nil without such networks.
func (r *Runner) gapTable() *report.Table {
	if !slices.Contains(r.Grid.Defenses, string(runs.Before)) {
		return nil
	}
	t := &report.Table{
		Title:   r.Grid.title() + ": the gap",
		Note:    "In brackets: networks that were trained on the same images before the attack.",
		Columns: []string{"planted", "defence"},
	}
	for _, m := range gapMeasures {
		t.Columns = append(t.Columns, m.name)
	}
	t.Columns = append(t.Columns, "CA of the class that loses most, difference", "wrong labels corrected %", "corrected rightly %")
	corrected := func(res *runs.Result) *float64 {
		if c := res.Correction; c != nil && c.Wrong > 0 {
			return share(c.OfWrong, c.Wrong)
		}
		return nil
	}
	rightly := func(res *runs.Result) *float64 {
		if c := res.Correction; c != nil && c.Corrected > 0 {
			return share(c.Right, c.Corrected)
		}
		return nil
	}
	for _, d := range r.Grid.Defenses {
		if d == string(runs.Before) {
			continue
		}
		gaps := make([][]*float64, len(gapMeasures))
		for _, v := range r.Grid.sets() {
			for _, a := range r.Grid.Attacks {
				if a == "none" || r.row(v, a, d).CA == nil {
					continue
				}
				line := []string{strings.TrimSpace(v + " " + a), d}
				for k, m := range gapMeasures {
					var seeds []uint64
					if k < ofTrigger { // both saw the same ones
						seeds = r.both(v, a, d, string(runs.Before))
					}
					got, before := r.over(v, a, d, seeds, m.of), r.over(v, a, string(runs.Before), seeds, m.of)
					if got == nil || before == nil {
						line = append(line, "–")
						continue
					}
					line = append(line, fmt.Sprintf("%.2f (%.2f)", *got, *before))
					gap := *got - *before
					gaps[k] = append(gaps[k], &gap)
				}
				line = append(line, number(r.worstClass(v, a, d), nil))
				t.Rows = append(t.Rows, append(line, number(r.over(v, a, d, nil, corrected), nil), number(r.over(v, a, d, nil, rightly), nil)))
			}
		}
		line := []string{"average difference", d}
		for k := range gapMeasures {
			mean, _ := spread(gaps[k])
			line = append(line, number(mean, nil))
		}
		t.Rows = append(t.Rows, append(line, "–", "–", "–"), r.worst(d, gaps))
	}
	if at := 2 + len(gapMeasures); !slices.ContainsFunc(t.Rows, func(row []string) bool { return row[at] != "–" }) { // of earlier results
		t.Columns = slices.Delete(t.Columns, at, at+1)
		for k, row := range t.Rows {
			t.Rows[k] = slices.Delete(row, at, at+1)
		}
	}
	return t
}

// both lists the seeds of which the runs of two defences under an attack are finished.
func (r *Runner) both(vary, attack, defense, other string) []uint64 {
	seeds := []uint64{}
	for _, s := range r.Grid.seeds(defense) {
		if r.result(Cell{attack, defense, s, vary}) != nil && r.result(Cell{attack, other, s, vary}) != nil {
			seeds = append(seeds, s)
		}
	}
	return seeds
}

// worst is the line of the largest losses: of the first measure, ASR, the highest difference, of the others the lowest.
func (r *Runner) worst(defense string, gaps [][]*float64) []string {
	line := []string{"worst difference", defense}
	for k, all := range gaps {
		var worst *float64
		for _, g := range all {
			if worst == nil || (k == 0) == (*g > *worst) {
				worst = g
			}
		}
		line = append(line, number(worst, nil))
	}
	return append(line, "–", "–", "–")
}

// worstClass is by how much, in points, the accuracy of that class differs which loses most; nil where it was not measured.
func (r *Runner) worstClass(vary, attack, defense string) (worst *float64) {
	for class, more := 0, true; more; class++ {
		more = false
		of := func(res *runs.Result) *float64 {
			if class >= len(res.CAOf) {
				return nil
			}
			more = true
			return res.CAOf[class]
		}
		got, before := r.over(vary, attack, defense, nil, of), r.over(vary, attack, string(runs.Before), nil, of)
		if got == nil || before == nil {
			continue
		}
		if gap := *got - *before; worst == nil || gap < *worst {
			worst = &gap
		}
	}
	return worst
}

// share is one number of another, in percent.
func share(n, of int) *float64 {
	v := 100 * float64(n) / float64(max(1, of))
	return &v
}
