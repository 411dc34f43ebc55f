package experiment

import (
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/report"
)

// ofSome says of how many a mean is, where some of all are missing.
func ofSome(n, all int) string {
	if n == 0 || n == all {
		return ""
	}
	return fmt.Sprintf(", of %d", n)
}

// robust reports whether a row has RA.
func robust(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.RA != nil })
}

// robustTable lays RA out as Table does ASR and CA, where that is by defence; nil without any, or where gapTable says more.
func (r *Runner) robustTable() *report.Table {
	rows := slices.DeleteFunc(r.Rows(), func(r Row) bool { return r.Attack == "none" })
	if !r.Grid.byDefense() || !robust(rows) || slices.Contains(r.Grid.Defenses, string(runs.Before)) {
		return nil
	}
	g := *r.Grid
	g.Attacks = slices.DeleteFunc(slices.Clone(g.Attacks), func(a string) bool { return a == "none" })
	t := &report.Table{Title: g.title() + ": triggered images", Note: "RA in percent: the share that is classified as what they show, without those of the target class."}
	t.Columns, t.Rows = g.lay(rows, func(r *Row) string { return number(r.RA, r.RADev) }, func(rows []Row, k, n int) string {
		var some []*float64
		all := 0
		for i := k; i < len(rows); i += n {
			if all++; rows[i].RA != nil {
				some = append(some, rows[i].RA)
			}
		}
		mean, _ := spread(some)
		return number(mean, nil) + ofSome(len(some), all)
	})
	return t
}
