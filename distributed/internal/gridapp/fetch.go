package gridapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/unpoison/unpoison/distributed/internal/app"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/distributed/internal/work"
	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/base/engines"
)

// fetch writes what is finished to a folder, and its tables.
func (j *job) fetch(ctx context.Context, to string, out, errs io.Writer) error {
	b, err := engines.New("cpu", 0) // plots are drawn with it
	if err != nil {
		return err
	}
	r := &experiment.Runner{Folder: to, Backend: b, Say: func(format string, args ...any) { fmt.Fprintf(errs, format+"\n", args...) }}
	finished, all, err := j.join(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Write("unpoison-grid run grid.yaml"); err != nil {
		return err
	}
	r.Say("%s: %d of %d cells are finished", r.Grid.Name, finished, all)
	for _, t := range r.Tables() {
		if _, err := io.WriteString(out, experiment.Markdown(t)); err != nil {
			return err
		}
	}
	return nil
}

// join fetches the finished cells that a runner's folder lacks, by way of a folder in it, and joins them to the others.
func (j *job) join(ctx context.Context, r *experiment.Runner) (finished, all int, err error) {
	p, g, err := work.ReadPlan(ctx, j.store, j.plan)
	if err != nil {
		return 0, 0, err
	}
	part, remove, err := app.OwnFolder(r.Folder, ".fetched-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := os.WriteFile(filepath.Join(part, "grid.yaml"), []byte(p.Grid), 0o666); err != nil {
		return 0, 0, err
	}
	for _, c := range g.Cells() {
		k, err := p.Result(ctx, j.store, g, c)
		if err == nil {
			err = j.fetchCell(ctx, k, filepath.Join(r.Folder, "cells", c.Name()), filepath.Join(part, "cells", c.Name()))
			if errors.Is(err, store.ErrNone) || errors.Is(err, store.ErrDamaged) {
				r.Say("%s is not fetched: %v", c.Name(), err)
				continue
			}
		}
		if err != nil && !errors.Is(err, store.ErrNone) {
			return 0, 0, err
		}
	}
	return r.Join([]string{part})
}

// fetchCell writes a kept cell to a folder, unless another one has it.
func (j *job) fetchCell(ctx context.Context, k store.Key, have, to string) error {
	if same, err := j.store.Same(ctx, k, have); err != nil || same {
		return err
	}
	err := j.store.GetFolder(ctx, k, to)
	if err != nil {
		err = errors.Join(err, os.RemoveAll(to))
	}
	return err
}
