package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/atomicfile"
	"github.com/unpoison/unpoison/internal/runs"
	"github.com/unpoison/unpoison/report"
)

// gridFlags are the flags of everything that runs grids.
type gridFlags struct {
	out, cell, cache string
	jobs             int
	budget           time.Duration
}

func (f *gridFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.out, "out", "", "`DIR` for the runs, tables and plots")
	fl.StringVar(&f.cell, "cell", "", "run the cell `NAME` only")
	fl.IntVar(&f.jobs, "jobs", 1, "cells at a time; they share the processor")
	fl.DurationVar(&f.budget, "budget", 0, "stop and save after this time, 2h for example")
	fl.StringVar(&f.cache, "cache", "", "`DIR` where attacks keep what they learn, or none (default: the user's cache folder)")
}

func (a *app) experiment() *cobra.Command {
	c := &cobra.Command{
		Use:   "experiment",
		Short: "Run grids of experiments, and the paper's tables and figures",
		Long: `Runs every cell of a grid (attacks × defences × seeds) that is missing in --out,
shares what cells have in common, and writes table.md, table.csv, table.json,
plots and index.html. After a kill the same command goes on.`,
		Example: `  unpoison experiment paper unlearning --scale quick --out try
  unpoison experiment paper cifar10 --data cifar10:DIR --out results --budget 2h
  unpoison experiment run grid.yaml --out results`,
	}
	c.AddCommand(a.experimentRun(), a.experimentPaper())
	return c
}

func (a *app) experimentRun() *cobra.Command {
	var f gridFlags
	c := &cobra.Command{
		Use:   "run FILE",
		Short: "Run the grid in a YAML file",
		Long: `A grid is a file like this:

  name: small
  data: cifar10:DIR            # or signs, which are rendered
  attacks: [none, badnets, "blend:alpha=0.1"]
  defenses: [none, nad, abl, "abl:gamma=1", auto, "unlearn:retrain"]
  seeds: [0, 1]
  settings: tune_epochs=10     # of all trainings
  plain: tune_epochs=8         # of those without defence
  plain_for: {dynamic: tune_epochs=15}
  clean: 0.05                  # share of clean images for fp, mcr, nad
  plots: [curves, separation]`,
		Example: `  unpoison experiment run grid.yaml --out results
  unpoison experiment run grid.yaml --out results --cell badnets.abl.0`,
		Args: oneArgument("experiment run takes the file of one grid"),
		RunE: func(c *cobra.Command, args []string) error {
			g, err := experiment.Read(args[0])
			if err != nil {
				return err
			}
			if f.out == "" {
				return usagef("--out is required: a folder for the results")
			}
			_, err = a.runGrid(c.Context(), g, f.out, &f)
			return err
		},
	}
	f.add(c)
	return c
}

func (a *app) experimentPaper() *cobra.Command {
	var f gridFlags
	var data experiment.Data
	var scale string
	var seeds []uint
	c := &cobra.Command{
		Use:   "paper NAME",
		Short: "Repeat an experiment of the paper, or all",
		Long: "The paper's experiments: " + strings.Join(experiment.PaperNames, ",\n") + `, and all.

--scale quick uses few images, a small network and few epochs and only shows
that every path works. Without data, road signs are rendered.`,
		Example: `  unpoison experiment paper all --scale quick --out try
  unpoison experiment paper cifar10 --data cifar10:DIR --seeds 0,1 --out results`,
		Args:      oneArgument("experiment paper takes the name of one experiment, or all"),
		ValidArgs: append([]string{"all"}, experiment.PaperNames...),
		RunE: func(c *cobra.Command, args []string) error {
			if f.out == "" {
				return usagef("--out is required: a folder for the results")
			}
			if scale != "quick" && scale != "full" {
				return usagef("--scale %q; there are quick and full", scale)
			}
			names := experiment.PaperNames
			if args[0] != "all" {
				if !slices.Contains(names, args[0]) {
					return usagef("no experiment %q; there are all, %s", args[0], strings.Join(names, ", "))
				}
				names = args[:1]
			}
			var list []uint64
			for _, s := range seeds {
				list = append(list, uint64(s))
			}
			start := time.Now()
			var pages []*experiment.Runner
			for _, n := range names {
				g, err := experiment.Paper(n, data, scale == "quick", list)
				if err != nil {
					return err
				}
				if f.budget > 0 {
					f.budget = max(time.Second, f.budget-time.Since(start))
				}
				r, err := a.runGrid(c.Context(), g, filepath.Join(f.out, n), &f)
				if err != nil {
					return err
				}
				pages = append(pages, r)
			}
			return writeResults(f.out, pages)
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVar(&data.CIFAR10, "data", "", "CIFAR-10, `DIR` or layout:DIR (default: rendered signs)")
	fl.StringVar(&data.GTSRB, "gtsrb", "", "the same for GTSRB")
	fl.StringVar(&data.Photos, "photos", "", "the same for photographs of 224 px")
	fl.StringVar(&scale, "scale", "full", "quick or full")
	fl.UintSliceVar(&seeds, "seeds", []uint{0}, "seeds of all runs")
	return c
}

func oneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s", what)
		}
		return nil
	}
}

// runGrid runs a grid and writes its tables, also of what was finished before an error.
func (a *app) runGrid(ctx context.Context, g *experiment.Grid, out string, f *gridFlags) (*experiment.Runner, error) {
	b, err := a.backend()
	if err != nil {
		return nil, err
	}
	watch := a.watcher()
	r := &experiment.Runner{
		Grid: g, Folder: out, Backend: b, Cache: (&attackFlags{cache: f.cache}).cacheDir(), Jobs: f.jobs, Budget: f.budget, Only: f.cell,
		Watch: func(_ experiment.Cell, e runs.Event) { watch(e) },
		Say: func(format string, args ...any) {
			a.done()
			a.say(format+"\n", args...)
		},
	}
	err = r.Run(ctx)
	a.done()
	if _, missing := os.Stat(filepath.Join(out, "grid.yaml")); missing == nil {
		err = errors.Join(err, r.Write(a.command()))
	}
	if err != nil {
		return nil, err
	}
	if a.json {
		return r, a.printJSON(map[string]any{"grid": g.Name, "rows": r.Rows(), "out": out})
	}
	return r, experiment.Markdown(a.out, r.Table())
}

// writeResults joins the tables of several grids in results.md and index.html.
func writeResults(out string, all []*experiment.Runner) error {
	p := &report.Page{Title: "unpoison: the paper's experiments"}
	err := atomicfile.Write(filepath.Join(out, "results.md"), func(w io.Writer) error {
		for _, r := range all {
			raw, err := os.ReadFile(filepath.Join(r.Folder, "table.md"))
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%s\n", raw); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range all {
		p.Tables, p.Figures = append(p.Tables, r.Table()), append(p.Figures, r.Figures...)
	}
	return p.Write(filepath.Join(out, "index.html"))
}
