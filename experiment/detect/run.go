package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/gomlx/backends"
	"golang.org/x/sync/errgroup"

	"github.com/unpoison/unpoison/dataset"
	published "github.com/unpoison/unpoison/detect"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// Runner measures detectors on sets, in the order of the table. What is finished is not computed again; what was stopped goes on.
type Runner struct {
	Folder    string // for what is made
	Keep      string // folder of the results; empty: Folder
	Families  map[string]string
	Backend   backends.Backend
	Cache     string               // of what attacks learn; see attack.Env
	Jobs      int                  // sets at a time; 0 is 1
	Budget    time.Duration        // no set is begun after it, and one in progress is saved; 0: none
	Only      string               // the name of the only set; empty: all
	Network   string               // one of model.Names that somebody trains who suspects nothing; empty: the default one
	Detectors []string             // names; empty: all and Ours
	More      []published.Detector // of one's own, beside the published ones
	Retrain   bool                 // whether networks are trained without what was flagged too, in the sets of a small grid or in the only set
	Quick     bool                 // few images, a small network, few epochs: to try that every path works
	Watch     func(train.Line)     // may be nil
	Say       func(format string, args ...any)

	sources sources
	store   *store
	most    int // training images at the quick scale; 0: quickImages
}

// errBudget is what Run returns when the time is spent.
var errBudget = errors.New("the budget is spent; the same command goes on from here")

// Names lists the detectors that there are, Ours first.
func Names() []string { return new(Runner).names() }

func (r *Runner) names() []string {
	names := []string{Ours}
	for _, d := range r.detectors() {
		names = append(names, d.Name())
	}
	return names
}

func (r *Runner) detectors() []published.Detector { return append(published.Builtin(), r.More...) }

// ResultsFile is the file of results in a folder: each network that is not the default one, "" or its name, has its own.
func ResultsFile(folder, network string, quick bool) string {
	name := "detect"
	if network != "" && network != train.DefaultRecipe().Network {
		name += "-" + network
	}
	if quick {
		name += "-quick"
	}
	return filepath.Join(folder, name+".jsonl")
}

// Check reports names that there are not, before anything is read.
func (r *Runner) Check() error {
	sets, err := Sets()
	if err != nil {
		return err
	}
	families, err := Families()
	if err != nil {
		return err
	}
	for k, name := range r.names() { // they name files, too
		if name == "" || filepath.Base(name) != name || slices.Contains(r.names()[:k], name) {
			return fmt.Errorf("a detector is called %q: expected a name of its own, of a file", name)
		}
	}
	for _, n := range r.Detectors {
		if !slices.Contains(r.names(), n) {
			return fmt.Errorf("no detector %q; there are %s", n, strings.Join(r.names(), ", "))
		}
	}
	for n := range r.Families {
		if !slices.ContainsFunc(families, func(f Family) bool { return f.Name == n }) {
			var names []string
			for _, f := range families {
				names = append(names, f.Name)
			}
			return fmt.Errorf("no family %q; there are %s", n, strings.Join(names, ", "))
		}
	}
	if r.Network != "" && !slices.Contains(model.Names(), r.Network) {
		return fmt.Errorf("no network %q; there are %s", r.Network, strings.Join(model.Names(), ", "))
	}
	if r.Only != "" && !slices.ContainsFunc(sets, func(s Set) bool { return s.Name == r.Only }) {
		return fmt.Errorf("no set %q; experiment detect sets lists them", r.Only)
	}
	return nil
}

// wanted returns the detectors to be measured, by their names.
func (r *Runner) wanted() []string {
	if len(r.Detectors) > 0 {
		return r.Detectors
	}
	return r.names()
}

// Run measures what is missing.
func (r *Runner) Run(ctx context.Context) error {
	sets, err := Sets()
	if err != nil {
		return err
	}
	if err := r.Check(); err != nil {
		return err
	}
	keep := r.Keep
	if keep == "" {
		keep = r.Folder
	}
	if r.store, err = openStore(ResultsFile(keep, r.Network, r.Quick)); err != nil {
		return err
	}
	r.sources.folders, r.sources.say, r.most = r.Families, r.Say, cmp.Or(r.most, quickImages)
	missing := r.missing(sets)
	if r.Budget > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, r.Budget, errBudget)
		defer stop()
	}
	return r.work(ctx, missing)
}

// missing lists the sets with something to do, and says what is passed over.
func (r *Runner) missing(sets []Set) []*Set {
	var out []*Set
	done, of := 0, 0
	without := map[string]int{} // sets that can't be made, by reason
	for i := range sets {
		s := &sets[i]
		if r.Only != "" && s.Name != r.Only {
			continue
		}
		of++
		if !slices.ContainsFunc(r.wanted(), func(d string) bool { return r.lacks(s, r.store.of(*s, d)) }) {
			done++
			continue
		}
		if !r.sources.has(s.Family) {
			without["of "+s.Family+", which --family does not give"]++
			continue
		}
		if _, err := s.Config(); err != nil {
			without["that can't be planted: "+err.Error()]++
			continue
		}
		out = append(out, s)
	}
	r.Say("%d of %d sets are finished", done, of)
	var reasons []string
	for why := range without {
		reasons = append(reasons, why)
	}
	slices.Sort(reasons)
	for _, why := range reasons {
		r.Say("left out: %d sets %s", without[why], why)
	}
	return out
}

// work measures sets in their order, some at a time. A set that fails is told and passed over; the error comes at the end.
func (r *Runner) work(ctx context.Context, sets []*Set) error {
	var group errgroup.Group
	group.SetLimit(max(1, r.Jobs))
	var mu sync.Mutex
	var failed []error
	for _, s := range sets {
		group.Go(func() error {
			if ctx.Err() != nil { // what waited for a place when it ended does not begin
				return nil
			}
			start := time.Now()
			line, err := r.cell(ctx, s)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				r.Say("%-44s %6s  %s", s.Name, time.Since(start).Round(time.Second), line)
			case ctx.Err() == nil:
				failed = append(failed, fmt.Errorf("set %s: %w", s.Name, err))
				r.Say("%-44s failed: %v", s.Name, err)
			}
			return nil
		})
	}
	_ = group.Wait() // sets note their errors
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(failed...)
}

// cell measures what is missing of a set, and says how the audit did.
func (r *Runner) cell(ctx context.Context, s *Set) (line string, err error) {
	defer dataset.Lost(&err)
	c, err := r.open(ctx, s)
	if err != nil {
		return "", err
	}
	defer c.close()
	for _, name := range r.wanted() {
		v := r.store.of(*s, name)
		if r.lacks(s, v) || v.Digest != c.digest {
			if v, err = c.one(ctx, name); err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			if err := r.store.add(v); err != nil {
				return "", err
			}
		}
		if name == Ours {
			line = v.Verdict
		}
	}
	return line, nil
}

// lacks tells whether there is more to measure than a score has; another search of ours, or another revision of a detector, would say
// something else.
func (r *Runner) lacks(s *Set, v *Score) bool {
	if v == nil || v.Without == nil && r.retrained(s) || v.earlier() {
		return true
	}
	d := r.detector(v.Detector)
	return d != nil && v.Revision != published.Revision(d)
}

// detector returns the published one of a name, or one's own; nil if there is none.
func (r *Runner) detector(name string) published.Detector {
	all := r.detectors()
	if k := slices.IndexFunc(all, func(d published.Detector) bool { return d.Name() == name }); k >= 0 {
		return all[k]
	}
	return nil
}

// one measures one detector.
func (c *cell) one(ctx context.Context, name string) (*Score, error) {
	var v *Score
	var flagged []bool
	var err error
	if name == Ours {
		v, flagged, err = c.audit(ctx)
	}
	if d := c.r.detector(name); d != nil {
		v, flagged, err = c.detect(ctx, d)
		name = fileName(d)
	}
	if err == nil && c.r.retrained(c.set) {
		v.Without, err = c.without(ctx, name, flagged)
	}
	return v, err
}
