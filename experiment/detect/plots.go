package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/report"
)

// Plot is a figure with the name of its files.
type Plot struct {
	Name string
	report.Figure
}

// mostLines of a plot can be told apart.
const mostLines = 6

// plotted is the place among falseRates at which the TPR is plotted against the rate of poisoning.
const plotted = 1

// Plots draws the results: ROC curves, the TPR against the rate of poisoning, and how much is taken out of clean sets. They are of
// sets that every detector has scored, and of this program and the five detectors whose AUROC is highest on average.
func (r *Results) Plots() ([]Plot, error) {
	poisoned, clean := r.whole(among(r.sets, (*Set).Poisoned)), r.whole(among(r.sets, func(s *Set) bool { return !s.Poisoned() }))
	names := r.foremost(poisoned)
	var all []Plot
	draw := func(name, title, caption, x, y string, line func(detector string) report.Line) error {
		var lines []report.Line
		for _, n := range names {
			if l := line(n); len(l.Y) > 0 {
				l.Name = n
				lines = append(lines, l)
			}
		}
		if len(lines) == 0 {
			return nil
		}
		f, err := report.LineFigure(title, caption, report.Axes{X: x + " in percent", Y: y + " in percent", LogX: true, PercentY: true}, lines...)
		all = append(all, Plot{name, f})
		return err
	}
	roc := func(name, title string, sets []Set) error {
		sets = among(sets, r.curved)
		return draw("roc"+name, "ROC, "+title, fmt.Sprintf("Mean over %d poisoned sets.", len(sets)), "FPR", "TPR",
			func(n string) report.Line { return r.roc(sets, n) })
	}
	if err := roc("", "all attacks", poisoned); err != nil {
		return nil, err
	}
	if err := roc("-reporting", "sets that only report", among(poisoned, ofRole(Reporting))); err != nil {
		return nil, err
	}
	for _, a := range attacks(poisoned) {
		sets := among(poisoned, func(s *Set) bool { return attackOf(s) == a })
		name := "-" + strings.ReplaceAll(a, ", ", "-")
		if err := roc(name, a, sets); err != nil {
			return nil, err
		}
		sets = ofMostRates(sets)
		caption := fmt.Sprintf("TPR at %g %% FPR, on %s.", 100*falseRates[plotted], kind(&sets[0]))
		err := draw("rate"+name, "TPR by rate, "+a, caption, "planted images", "TPR", func(n string) report.Line { return r.byRate(sets, n) })
		if err != nil {
			return nil, err
		}
	}
	err := draw("removed", "What is removed from clean sets", fmt.Sprintf("Of %d clean sets, those of which so many images or more are flagged.", len(clean)),
		"removed images", "clean sets", func(n string) report.Line { return r.removed(clean, n) })
	return all, err
}

// foremost returns the detectors that are plotted, this program first.
func (r *Results) foremost(poisoned []Set) []string {
	names := slices.Clone(r.names)
	area := func(n string) float64 {
		if v := r.mean(poisoned, n, better()[0]); v != nil && n != Ours {
			return *v
		}
		if n == Ours {
			return math.Inf(1)
		}
		return 0
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(area(b), area(a)) })
	return names[:min(len(names), mostLines)]
}

// curved tells whether all scores of a set have a curve; older ones have none.
func (r *Results) curved(s *Set) bool {
	return !slices.ContainsFunc(r.names, func(n string) bool { return r.store.of(*s, n).ROC == nil })
}

// roc averages a detector's curves.
func (r *Results) roc(sets []Set, name string) report.Line {
	var l report.Line
	for k, fpr := range rocRates {
		m := metric{of: func(v *Score) *float64 { return &v.ROC[k] }}
		if tpr := r.mean(sets, name, m); tpr != nil {
			l.X, l.Y = append(l.X, 100*fpr), append(l.Y, 100**tpr)
		}
	}
	return l
}

// kind says what sets must share so that their rates can be compared.
func kind(s *Set) string {
	images := "all"
	if s.Images > 0 {
		images = strconv.Itoa(s.Images)
	}
	return fmt.Sprintf("%s images of %s, %d pixels", images, s.Family, s.Size)
}

// ofMostRates returns those of an attack's sets that are of the kind with the most rates.
func ofMostRates(sets []Set) []Set {
	var most []Set
	rates := func(sets []Set) int {
		seen := map[string]bool{}
		for _, s := range sets {
			seen[s.Rate] = true
		}
		return len(seen)
	}
	for _, s := range sets {
		if same := among(sets, func(o *Set) bool { return kind(o) == kind(&s) }); rates(same) > rates(most) {
			most = same
		}
	}
	return most
}

// byRate is the mean TPR of a detector at each rate.
func (r *Results) byRate(sets []Set, name string) report.Line {
	var l report.Line
	for _, s := range slices.SortedFunc(slices.Values(sets), func(a, b Set) int { return cmp.Compare(a.share(), b.share()) }) {
		x := 100 * s.share()
		if slices.Contains(l.X, x) {
			continue
		}
		same := among(sets, func(o *Set) bool { return o.share() == s.share() })
		if tpr := r.mean(same, name, metric{of: func(v *Score) *float64 { return v.TPRAt[plotted] }}); tpr != nil {
			l.X, l.Y = append(l.X, x), append(l.Y, 100**tpr)
		}
	}
	return l
}

// removed is the share of clean sets of which a detector flags at least so much.
func (r *Results) removed(clean []Set, name string) report.Line {
	var l report.Line
	for _, x := range rocRates {
		n := 0
		for _, s := range clean {
			if v := r.store.of(s, name); v.FPR != nil && *v.FPR >= x {
				n++
			}
		}
		if len(clean) > 0 {
			l.X, l.Y = append(l.X, 100*x), append(l.Y, 100*float64(n)/float64(len(clean)))
		}
	}
	return l
}
