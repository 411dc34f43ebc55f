package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/unpoison/unpoison/internal/app/runs"
)

// work is cells that are being carried out.
type work struct {
	r     *Runner
	cells []Cell
	ended map[Cell]chan struct{} // closed when a cell has ended, in whichever way

	mu   sync.Mutex
	lost map[Cell]bool // those that ended without a result
	errs []error
}

// work runs cells in their order, some at a time, each when what it needs is there. A cell that fails is told, and what
// builds on it is left out; the errors come at the end. Only the end of the context stops the rest.
func (r *Runner) work(ctx context.Context, cells []Cell) error {
	w := &work{r: r, cells: cells, ended: map[Cell]chan struct{}{}, lost: map[Cell]bool{}}
	for _, c := range cells {
		w.ended[c] = make(chan struct{})
	}
	var group errgroup.Group
	group.SetLimit(max(1, r.Jobs))
	for i := range cells {
		group.Go(func() error {
			if ctx.Err() == nil { // what waited for a place when it ended does not begin
				w.do(ctx, i)
			}
			return nil
		})
	}
	_ = group.Wait() // cells note their errors
	if ctx.Err() != nil {
		return errors.Join(append([]error{context.Cause(ctx)}, w.errs...)...)
	}
	return errors.Join(w.errs...)
}

// do carries a cell out.
func (w *work) do(ctx context.Context, i int) {
	r, c := w.r, w.cells[i]
	defer close(w.ended[c])
	for _, n := range c.Needs() {
		ended := w.ended[n]
		if ended == nil {
			continue // finished before
		}
		select {
		case <-ended:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			w.lose(c, nil)
			return
		}
		if w.without(n) {
			w.lose(c, nil)
			r.say("%-32s is left out: %s failed", c.Name(), n.Name())
			return
		}
	}
	start := time.Now()
	err := r.once(ctx, r.folder(c), func(ctx context.Context) error { return r.cell(ctx, c) })
	if err == nil {
		err = r.keep(c)
	}
	switch {
	case err == nil:
		r.tell(c, time.Since(start), w.cells[i+1:])
	case ctx.Err() != nil:
		w.lose(c, Beside(err, context.Cause(ctx)))
	default:
		w.lose(c, err)
	}
}

func (w *work) without(c Cell) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost[c]
}

// lose notes that a cell has no result, and why, unless that is known.
func (w *work) lose(c Cell, err error) {
	w.mu.Lock()
	w.lost[c] = true
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("cell %s: %w", c.Name(), err))
	}
	w.mu.Unlock()
	if err != nil {
		w.r.say("%-32s failed: %v", c.Name(), err)
	}
}

// Beside returns the parts of an error that are not the end of a context for this cause: that a checkpoint could not be
// saved then, for example.
func Beside(err, cause error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // its own parts; those within follow
		var rest []error
		for _, e := range many.Unwrap() {
			rest = append(rest, Beside(e, cause))
		}
		return errors.Join(rest...)
	}
	ends := []error{context.Canceled, context.DeadlineExceeded, cause}
	if !slices.ContainsFunc(ends, func(end error) bool { return errors.Is(err, end) }) {
		return err
	}
	if within := errors.Unwrap(err); within != nil {
		return Beside(within, cause)
	}
	return nil
}

// say tells whoever wants to know.
func (r *Runner) say(format string, args ...any) {
	if r.Say != nil {
		r.Say(format, args...)
	}
}

// tell says that a cell is finished, and what the rest will take by what its like took.
func (r *Runner) tell(c Cell, took time.Duration, rest []Cell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spent[runs.Kind(c.Defense)] += took
	r.count[runs.Kind(c.Defense)]++
	var total time.Duration
	n := 0
	for k, d := range r.spent {
		total += d
		n += r.count[k]
	}
	var left time.Duration
	for _, o := range rest {
		if k := runs.Kind(o.Defense); r.count[k] > 0 {
			left += r.spent[k] / time.Duration(r.count[k])
		} else {
			left += total / time.Duration(n)
		}
	}
	left /= time.Duration(max(1, r.Jobs))
	line := fmt.Sprintf("%-32s %6s", c.Name(), took.Round(time.Second))
	if res := r.result(c); res != nil {
		if res.Verdict != nil {
			line += "  " + res.Verdict.Says.String()
		}
		if res.CA != nil {
			line += fmt.Sprintf("  CA %6s  ASR %6s", number(res.CA, nil), number(res.ASR, nil))
		}
	}
	if len(rest) > 0 {
		line += fmt.Sprintf("  %d left, %s", len(rest), left.Round(time.Second))
	}
	r.say("%s", line)
}
