package detect

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/report"
	"github.com/unpoison/unpoison/train"
)

// Networks counts what audits with other networks than the default one said, and those with this one of the same sets, by a folder of
// results.
func Networks(folder string) (report.Table, error) {
	t := report.Table{Columns: []string{
		"network", "poisoned sets", "right", "planted found %", "others removed %", "clean sets", "no evidence of poison, or a mark", "can't tell", "false alarms",
	}}
	usual, err := Read(ResultsFile(folder, "", false))
	if err != nil {
		return t, err
	}
	for _, network := range model.Names() {
		r, err := Read(ResultsFile(folder, network, false))
		switch {
		case network == train.DefaultRecipe().Network || errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return t, err
		}
		var own, same []*Score
		for _, s := range r.sets {
			if v, u := r.store.of(s, Ours), usual.store.of(s, Ours); v != nil && u != nil && !v.earlier() && !u.earlier() {
				own, same = append(own, v), append(same, u)
			}
		}
		t.Rows = append(t.Rows, counted(network, own), counted(train.DefaultRecipe().Network+", the same sets", same))
	}
	return t, nil
}

// counted is the row of a network's scores.
func counted(network string, scores []*Score) []string {
	poisoned, right, clean, unsure, alarms := 0, 0, 0, 0, 0
	var tpr, fpr float64
	for _, v := range scores {
		if v.Set.Poisoned() {
			poisoned++
			right += stat.Bit(*v.Right)
			tpr, fpr = tpr+*v.TPR, fpr+*v.FPR
			continue
		}
		clean++
		unsure += stat.Bit(v.Verdict == look.CantTell.String())
		alarms += stat.Bit(falseAlarm(&v.Set, v.Verdict))
	}
	share := func(sum float64) string {
		if poisoned == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f", 100*sum/float64(poisoned))
	}
	return []string{
		network, fmt.Sprint(poisoned), fmt.Sprint(right), share(tpr), share(fpr), fmt.Sprint(clean), fmt.Sprint(clean - unsure - alarms), fmt.Sprint(unsure), fmt.Sprint(alarms),
	}
}
