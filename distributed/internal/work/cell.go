package work

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.temporal.io/sdk/activity"

	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// cell runs one cell, or goes on with it, and returns the key of its folder. A cell that is finished is not run again.
func (w *Worker) cell(ctx context.Context, in Input) (store.Key, error) {
	p, g, err := w.plan(ctx, in.Plan)
	if err != nil {
		return "", final(err)
	}
	c, err := cellNamed(g, in.Cell)
	if err != nil {
		return "", final(err)
	}
	id, err := p.identity(g, c)
	if err != nil {
		return "", err
	}
	k, lost, err := w.found(ctx, "cells/"+id, w.Store.HasFolder)
	if !errors.Is(err, store.ErrNone) {
		return k, err
	}
	last, dir, err := w.begin(ctx, "cell-*")
	if err != nil {
		return "", err
	}
	r := &cellRun{run{Worker: w, id: id, result: "cells/" + id, name: c.Name(), folder: filepath.Join(dir, "grid", "cells", c.Name()), lost: lost}, p, g, c}
	ctx, stop := r.beating(ctx, last)
	defer stop()
	defer os.RemoveAll(dir)
	if err := r.prepare(ctx); err != nil {
		return "", final(err)
	}
	return r.do(ctx, r.work)
}

// cellRun is a cell that is being run.
type cellRun struct {
	run
	plan *Plan
	grid *experiment.Grid
	cell experiment.Cell
}

// prepare fetches what the cell starts from: its data, the runs that it builds on, and its last checkpoint.
func (r *cellRun) prepare(ctx context.Context) error {
	var err error
	if r.grid.Data, err = r.local(ctx, r.plan); err != nil {
		return err
	}
	for _, n := range r.cell.Needs() {
		k, err := r.plan.Result(ctx, r.Store, r.grid, n)
		if errors.Is(err, store.ErrNone) {
			return &wrongError{fmt.Errorf("it builds on %s, which is not finished", n.Name())}
		}
		if err != nil {
			return err
		}
		err = r.Store.GetFolder(ctx, k, filepath.Join(filepath.Dir(r.folder), n.Name()))
		if errors.Is(err, store.ErrNone) || errors.Is(err, store.ErrDamaged) {
			return &wrongError{fmt.Errorf("it builds on %s, whose files are gone or damaged; the same command makes it again: %w", n.Name(), err)}
		}
		if err != nil {
			return err
		}
	}
	return r.restore(ctx)
}

// work runs the cell by itself.
func (r *cellRun) work(ctx context.Context) error {
	log := activity.GetLogger(ctx)
	e := &experiment.Runner{
		Grid: r.grid, Folder: filepath.Dir(filepath.Dir(r.folder)), Backend: r.Backend, Cache: filepath.Join(r.Scratch, "cache"), Only: r.cell.Name(),
		Watch: func(experiment.Cell, runs.Event) { r.happened() },
		Say:   func(format string, args ...any) { log.Info(fmt.Sprintf(format, args...)) },
	}
	return e.Run(ctx)
}
