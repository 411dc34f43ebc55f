package detect

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/report"
)

// Results is what a file of results holds, by set and detector.
type Results struct {
	sets  []Set    // with any score, in the table's order
	names []string // of detectors with any score, Ours first, those of one's own last
	store *store
}

// Read returns the results in a file.
func Read(path string) (*Results, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	s, err := openStore(path)
	if err != nil {
		return nil, err
	}
	all, err := Sets()
	if err != nil {
		return nil, err
	}
	r := &Results{store: s}
	for _, n := range s.names() {
		if slices.ContainsFunc(all, func(set Set) bool { return s.of(set, n) != nil }) {
			r.names = append(r.names, n)
		}
	}
	for _, set := range all {
		if slices.ContainsFunc(r.names, func(n string) bool { return s.of(set, n) != nil }) {
			r.sets = append(r.sets, set)
		}
	}
	return r, nil
}

// Scores returns all scores, set by set.
func (r *Results) Scores() []*Score {
	var all []*Score
	for _, s := range r.sets {
		for _, n := range r.names {
			if v := r.store.of(s, n); v != nil {
				all = append(all, v)
			}
		}
	}
	return all
}

// metric is a number of a score; nil where there is none.
type metric struct {
	name string
	of   func(v *Score) *float64
}

// better are the metrics of which more is better.
func better() []metric {
	all := []metric{{"AUROC", func(v *Score) *float64 { return v.AUROC }}}
	for k, f := range falseRates {
		all = append(all, metric{fmt.Sprintf("TPR at %g %% FPR", 100*f), func(v *Score) *float64 { return v.TPRAt[k] }})
	}
	return all
}

// metrics are those of poisoned sets.
func metrics() []metric {
	return append(
		better(),
		metric{"TPR, own limit", func(v *Score) *float64 { return v.TPR }},
		metric{"FPR, own limit", func(v *Score) *float64 { return v.FPR }},
		metric{"called poisoned", called},
		metric{"right", right},
		metric{"seconds", seconds},
	)
}

func called(v *Score) *float64 {
	return new(float64(stat.Bit(found(v.Verdict))))
}

// right is of the audit alone.
func right(v *Score) *float64 {
	if v.Right == nil {
		return nil
	}
	return new(float64(stat.Bit(*v.Right)))
}

func seconds(v *Score) *float64 { return &v.Seconds }

// shown writes a metric's value.
func shown(name string, v *float64) string {
	switch {
	case v == nil:
		return "–"
	case name == "seconds":
		return fmt.Sprintf("%.1f", *v)
	case name == "called poisoned", name == "right":
		return fmt.Sprintf("%.0f %%", 100**v)
	}
	return fmt.Sprintf("%.3f", *v)
}

// whole are the sets that every detector has scored: averages over others would compare different sets.
func (r *Results) whole(sets []Set) []Set {
	return slices.DeleteFunc(slices.Clone(sets), func(s Set) bool {
		return slices.ContainsFunc(r.names, func(n string) bool { return r.store.of(s, n) == nil })
	})
}

// mean is a detector's average over sets; nil where none has the metric.
func (r *Results) mean(sets []Set, name string, m metric) *float64 {
	sum, n := 0.0, 0
	for _, s := range sets {
		if v := r.store.of(s, name); v != nil {
			if x := m.of(v); x != nil {
				sum += *x
				n++
			}
		}
	}
	if n == 0 {
		return nil
	}
	sum /= float64(n)
	return &sum
}

// Tables returns the averages first, then where this program is behind, then every set.
func (r *Results) Tables() []report.Table {
	poisoned, clean := among(r.sets, (*Set).Poisoned), among(r.sets, func(s *Set) bool { return !s.Poisoned() })
	all := []report.Table{r.detectors()}
	all = append(all, r.roles(poisoned), r.falseAlarms(clean), r.behind(poisoned), r.retrainings(poisoned))
	for _, m := range metrics() {
		if m.name != "seconds" {
			all = append(all, r.byAttack(poisoned, m))
		}
	}
	for _, m := range metrics() {
		all = append(all, r.bySet("Poisoned sets: "+m.name, poisoned, func(v *Score) string { return shown(m.name, m.of(v)) }))
	}
	return append(all, r.bySet("Clean sets: share of the images that are flagged, and verdict", clean, func(v *Score) string {
		return shown("", v.FPR) + " " + word(v.Verdict)
	}))
}

// word is a verdict in one.
func word(verdict string) string {
	switch verdict {
	case look.Poisoned.String():
		return "poisoned"
	case look.Shortcut.String(), look.CantTell.String():
		return verdict
	}
	return "clean"
}

// found tells whether a verdict is that something was found.
func found(verdict string) bool {
	return verdict == look.Poisoned.String() || verdict == look.Shortcut.String()
}

// falseAlarm tells whether a verdict on a clean set is wrong: an honest mark on one class is a shortcut.
func falseAlarm(s *Set, verdict string) bool {
	v, err := s.variation()
	return verdict == look.Poisoned.String() || found(verdict) && (err != nil || v.Mark == "")
}

func ofRole(role string) func(s *Set) bool {
	return func(s *Set) bool { return role == "" || s.Role == role }
}

// among returns the sets of a list that are wanted.
func among(sets []Set, want func(s *Set) bool) []Set {
	return slices.DeleteFunc(slices.Clone(sets), func(s Set) bool { return !want(&s) })
}

// roles averages every metric over poisoned sets, by role.
func (r *Results) roles(poisoned []Set) report.Table {
	whole := r.whole(poisoned)
	t := report.Table{
		Title: "Averages over poisoned sets", Columns: append([]string{"sets", "metric"}, r.names...),
		Note: fmt.Sprintf("Of the %d sets that all detectors have scored, of %d.", len(whole), len(poisoned)),
	}
	for _, role := range []string{"", Choosing, Reporting} {
		sets := among(whole, ofRole(role))
		if len(sets) == 0 {
			continue
		}
		title := "all"
		if role != "" {
			title = role
		}
		for _, m := range metrics() {
			row := []string{fmt.Sprintf("%s, %d", title, len(sets)), m.name}
			for _, n := range r.names {
				row = append(row, shown(m.name, r.mean(sets, n, m)))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// attackOf names an attack with its way to label, as tables do.
func attackOf(s *Set) string {
	name, _, _ := strings.Cut(s.Attack, ":")
	if s.Labels != "one" {
		name += ", " + s.Labels
	}
	return name
}

// attacks lists those of sets, in the alphabet's order.
func attacks(sets []Set) []string {
	var all []string
	for _, s := range sets {
		if a := attackOf(&s); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	slices.Sort(all)
	return all
}

// byAttack averages a metric over the sets of each attack.
func (r *Results) byAttack(poisoned []Set, m metric) report.Table {
	t := report.Table{Title: "By attack: " + m.name, Columns: append([]string{"attack", "for", "sets"}, r.names...)}
	whole := r.whole(poisoned)
	for _, a := range attacks(whole) {
		for _, role := range []string{Choosing, Reporting} {
			sets := among(whole, func(s *Set) bool { return attackOf(s) == a && s.Role == role })
			if len(sets) == 0 {
				continue
			}
			row := []string{a, role, fmt.Sprint(len(sets))}
			for _, n := range r.names {
				row = append(row, shown(m.name, r.mean(sets, n, m)))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// falseAlarms counts clean sets that are called poisoned, by family, and how much is flagged in them.
func (r *Results) falseAlarms(clean []Set) report.Table {
	t := report.Table{
		Title: "False alarms on clean sets", Columns: append([]string{"family", "for"}, r.names...),
		Note: "Sets called poisoned, or a shortcut where no class has a mark, of so many; mean share of the images flagged.",
	}
	var families []string
	for _, s := range clean {
		if !slices.Contains(families, s.Family) {
			families = append(families, s.Family)
		}
	}
	slices.Sort(families)
	row := func(title, role string, sets []Set) {
		line := []string{title, role}
		for _, n := range r.names {
			of := among(sets, func(s *Set) bool { return r.store.of(*s, n) != nil })
			alarms := 0
			for _, s := range of {
				if falseAlarm(&s, r.store.of(s, n).Verdict) {
					alarms++
				}
			}
			mean := r.mean(of, n, metric{of: func(v *Score) *float64 { return v.FPR }})
			line = append(line, fmt.Sprintf("%d of %d; %s", alarms, len(of), shown("", mean)))
		}
		t.Rows = append(t.Rows, line)
	}
	for _, role := range []string{Choosing, Reporting} {
		if sets := among(clean, ofRole(role)); len(sets) > 0 {
			row("all", role, sets)
		}
	}
	for _, f := range families {
		sets := among(clean, func(s *Set) bool { return s.Family == f })
		row(f, sets[0].Role, sets)
	}
	return t
}

// behindBy is how much less than another detector's is told as being behind.
const behindBy = 0.01

// behind lists where another detector does better than this program, by what the images' scores say.
func (r *Results) behind(poisoned []Set) report.Table {
	t := report.Table{
		Title: "Where " + Ours + " is behind", Columns: []string{"set", "for", "metric", Ours, "best other", "its value", "was told"},
		Note: fmt.Sprintf("Another detector's value is higher by more than %g.", behindBy),
	}
	for _, s := range poisoned {
		ours := r.store.of(s, Ours)
		if ours == nil {
			continue
		}
		for _, m := range better() {
			own := m.of(ours)
			var best *Score
			for _, n := range r.names[1:] {
				v := r.store.of(s, n)
				if v != nil && m.of(v) != nil && (best == nil || *m.of(v) > *m.of(best)) {
					best = v
				}
			}
			if own != nil && best != nil && *m.of(best) > *own+behindBy {
				t.Rows = append(t.Rows, []string{s.Name, s.Role, m.name, shown(m.name, own), best.Detector, shown(m.name, m.of(best)), best.Told})
			}
		}
	}
	switch {
	case !slices.Contains(r.names, Ours):
		t.Note = Ours + " was not measured."
	case len(t.Rows) == 0:
		t.Note = "Nowhere: no other detector's value is higher by more than " + fmt.Sprint(behindBy) + "."
	}
	return t
}

// bySet has a row for each set.
func (r *Results) bySet(title string, sets []Set, cell func(v *Score) string) report.Table {
	t := report.Table{Title: title, Columns: append([]string{"set", "for"}, r.names...)}
	for _, s := range sets {
		row := []string{s.Name, s.Role}
		for _, n := range r.names {
			text := ""
			if v := r.store.of(s, n); v != nil {
				text = cell(v)
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
