package detect

import (
	"context"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/report"
)

// Without measures a network on the clean test images that no detector was given, %; nil where there are none.
type Without struct {
	CA  *float64 `json:"ca"`
	ASR *float64 `json:"asr"` // nil where nothing is planted
}

// retrained tells whether networks are trained without what detectors flag in a set: in the sets of a small grid, every attack once,
// or in the only set that is measured.
func (r *Runner) retrained(s *Set) bool {
	small := s.Family == "cifar10" && s.Images == 10_000 && s.Poisoned() && s.Labels == "one" && s.share() == 0.01
	return r.Retrain && (small || r.Only == s.Name)
}

// without trains a network like the set's own, but without the flagged images, and measures it. Where too few are left nothing is.
func (c *cell) without(ctx context.Context, detector string, flagged []bool) (*Without, error) {
	var kept []int
	for i, f := range flagged {
		if !f {
			kept = append(kept, i)
		}
	}
	o := c.r.recipe(c.m)
	o.IsolateEpochs = 0
	switch {
	case len(kept) == len(flagged):
		if err := c.network(ctx); err != nil {
			return nil, err
		}
		return &c.does, nil
	case len(kept) < 64 || len(kept) < 2*o.Batch: // fewer make no training
		return &Without{}, nil
	}
	res, err := c.train(ctx, "without-"+detector, c.m.train.Subset(kept), o)
	if err != nil {
		return nil, err
	}
	return c.measure(ctx, res.Network, res.Model)
}

// measure evaluates a network.
func (c *cell) measure(ctx context.Context, n *model.Network, state model.State) (*Without, error) {
	w := &Without{}
	if c.m.test == nil {
		return w, nil
	}
	e, err := evaluate.Of(c.r.Backend, n, state)
	if err != nil {
		return nil, err
	}
	percent := func(set *dataset.Set) (*float64, error) {
		a, err := e.Measure(ctx, set)
		if err != nil || set.Len() == 0 {
			return nil, err
		}
		v := 100 * a.Accuracy
		return &v, nil
	}
	if w.CA, err = percent(c.m.test); err != nil || c.m.attack == nil {
		return w, err
	}
	if c.triggered == nil {
		if c.triggered, err = c.m.attack.Triggered(ctx, c.m.test); err != nil {
			return nil, err
		}
	}
	if w.ASR, err = percent(c.triggered); err == nil && w.ASR != nil {
		*w.ASR = c.m.attack.Config.Success(*w.ASR)
	}
	return w, err
}

// retrainings has a row for each set of which networks were trained without what was flagged, and their means.
func (r *Results) retrainings(sets []Set) report.Table {
	t := report.Table{
		Title: "ASR (CA) of a network trained without what was flagged, %", Columns: append([]string{"set", "for", "with all images"}, r.names...),
		Note: "Means are of the sets that every detector has. Detectors that leave too few images for a training have –.",
	}
	has := func(s *Set, n string) bool {
		v := r.store.of(*s, n)
		return v != nil && v.Without != nil && v.Without.CA != nil && v.Without.ASR != nil
	}
	row := func(name, role string, sets []Set) []string {
		cells := []string{name, role, r.left(sets, "")}
		for _, n := range r.names {
			cells = append(cells, r.left(among(sets, func(s *Set) bool { return has(s, n) }), n))
		}
		return cells
	}
	all := among(sets, func(s *Set) bool { return slices.ContainsFunc(r.names, func(n string) bool { return has(s, n) }) })
	whole := among(all, func(s *Set) bool { return !slices.ContainsFunc(r.names, func(n string) bool { return !has(s, n) }) })
	if len(whole) > 1 {
		t.Rows = append(t.Rows, row(fmt.Sprintf("mean of %d", len(whole)), "", whole))
	}
	for _, s := range all {
		t.Rows = append(t.Rows, row(s.Name, s.Role, []Set{s}))
	}
	if len(t.Rows) == 0 {
		t.Note = ""
	}
	return t
}

// left writes the mean ASR and CA that a detector leaves in sets, or with all images for the name ""; – where there are none.
func (r *Results) left(sets []Set, name string) string {
	asr, ca, n := 0.0, 0.0, 0.0
	for _, s := range sets {
		w := r.undefended(s)
		if name != "" {
			w = r.store.of(s, name).Without
		}
		if w != nil {
			asr, ca, n = asr+*w.ASR, ca+*w.CA, n+1
		}
	}
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f (%.1f)", asr/n, ca/n)
}

// undefended is what the network does that the detectors of a set were given; nil if there is no such score.
func (r *Results) undefended(s Set) *Without {
	for _, n := range r.names {
		if v := r.store.of(s, n); v != nil && v.CA != nil && v.ASR != nil {
			return &Without{v.CA, v.ASR}
		}
	}
	return nil
}
