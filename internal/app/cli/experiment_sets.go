package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/backends"
	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/engines"
)

func (d *setFlags) add(c *cobra.Command, seeds []uint) {
	fl := c.Flags()
	fl.StringVar(&d.CIFAR10, "data", "", "CIFAR-10, `DIR` or layout:DIR")
	fl.StringVar(&d.GTSRB, "gtsrb", "", "GTSRB, `DIR` or layout:DIR")
	fl.StringVar(&d.Photos, "photos", "", "photographs of 224 px, `DIR` or layout:DIR")
	fl.StringVar(&d.scale, "scale", "full", "quick or full")
	fl.UintSliceVar(&d.seeds, "seeds", seeds, "seeds; from a single one, some defences also take the next ones")
	fl.StringVar(&d.markdown, "markdown", "", "`FILE` for all tables in --out, with plots in a folder next to it (default: results.md in --out)")
}

// addLimit adds --limit; without data such commands render signs.
func (d *setFlags) addLimit(c *cobra.Command) {
	c.Flags().Lookup("data").Usage += " (default: rendered signs)"
	c.Flags().IntVar(&d.Limit, "limit", 0, "number of training images, at most: less time, less accuracy")
}

func (d *setFlags) list() (all []uint64) {
	for _, s := range d.seeds {
		all = append(all, uint64(s))
	}
	return all
}

// scales are the names that --scale takes.
var scales = []string{"quick", "full"}

// runSet runs some grids of a set, one after the other, each in the folder of its name, and joins the tables of
// all that are there.
func (a *app) runSet(ctx context.Context, s set, f *gridFlags, d *setFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if !slices.Contains(scales, d.scale) {
		return usagef("--scale %q; there are %s", d.scale, strings.Join(scales, ", "))
	}
	if d.Limit > 0 && d.scale == "quick" {
		return usagef("--limit %d would be passed over: --scale quick has a limit of its own", d.Limit)
	}
	all := s.grids
	if f.cell != "" {
		if all = slices.DeleteFunc(slices.Clone(all), func(g *experiment.Grid) bool { return !g.Has(f.cell) }); len(all) == 0 {
			return &usageError{experiment.NoCell(f.cell, s.grids...)}
		}
	}
	start, budget := time.Now(), f.budget
	ran := map[string]*experiment.Runner{}
	var failed, last error
	for _, g := range all {
		if budget > 0 {
			f.budget = max(time.Second, budget-time.Since(start))
		}
		r, err := a.runGrid(ctx, g, filepath.Join(f.out, g.Name), f)
		if r != nil {
			ran[g.Name] = r
		}
		if err != nil && last != nil && err.Error() == last.Error() {
			break // data that are not there, and no cell's fault
		}
		failed, last = errors.Join(failed, err), err
		if ctx.Err() != nil || err != nil && budget > 0 && time.Since(start) >= budget {
			break
		}
	}
	return errors.Join(failed, a.writeSet(ctx, s, f, d, ran))
}

// writeSet joins the tables of what was run now and of what is there from before.
func (a *app) writeSet(ctx context.Context, s set, f *gridFlags, d *setFlags, ran map[string]*experiment.Runner) error {
	b, err := a.backend()
	if err != nil {
		return err
	}
	var pages []*experiment.Runner
	for _, n := range s.names {
		r := ran[n]
		if r == nil {
			if r, err = experiment.Saved(ctx, f.out, n, f.keep, b, f.cacheDir()); errors.Is(err, os.ErrNotExist) {
				continue
			} else if err != nil {
				return err
			}
		}
		pages = append(pages, r)
	}
	return experiment.Results(f.out, cmp.Or(d.markdown, filepath.Join(f.out, "results.md")), s.title, pages, s.rates, s.command)
}

// oneArgument refuses more arguments than one, and none.
func oneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s", what)
		}
		return nil
	}
}

// someArguments refuses no arguments.
func someArguments(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s", what)
		}
		return nil
	}
}

// runGrid runs a grid and writes its tables, also of what was finished before an error.
func (a *app) runGrid(ctx context.Context, g *experiment.Grid, out string, f *gridFlags) (*experiment.Runner, error) {
	if err := apart([]string{out, f.keep}, g.Data, g.Pretrain); err != nil {
		return nil, err
	}
	b, err := a.shared(f.jobs)
	if err != nil {
		return nil, err
	}
	watch := a.watcher()
	r := &experiment.Runner{
		Grid: g, Folder: out, Backend: b, Cache: f.cacheDir(), Keep: f.keep, Jobs: f.jobs, Budget: f.budget, Only: f.cell, Shard: f.shard,
		Watch: func(_ experiment.Cell, e runs.Event) { watch(e) },
		Say:   a.line,
	}
	err = r.Run(ctx)
	a.done()
	if !r.Opened() { // a table that is there may be another grid's
		return nil, err
	}
	if err = errors.Join(err, r.Write(a.command())); err != nil {
		return r, err
	}
	return r, a.printGrid(r, out, nil)
}

// shared returns an engine with one job's share of the threads.
func (a *app) shared(jobs int) (backends.Backend, error) {
	threads := 0
	if jobs > 1 {
		threads = max(1, runtime.GOMAXPROCS(0)/jobs)
	}
	return engines.New(a.engine, threads)
}

// printGrid shows a grid's tables, or in JSON its rows with what else there is to say.
func (a *app) printGrid(r *experiment.Runner, out string, more map[string]any) error {
	if a.json {
		all := map[string]any{"grid": r.Grid.Name, "rows": r.Rows(), "out": out}
		maps.Copy(all, more)
		return a.printJSON(all)
	}
	for _, t := range r.Tables() {
		if _, err := io.WriteString(a.out, experiment.Markdown(t)); err != nil {
			return err
		}
	}
	return nil
}
