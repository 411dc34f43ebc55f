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
	c.AddCommand(a.experimentRun(), a.experimentPaper(), a.experimentVerdict())
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
  vary: ["", "limit=5000,noise=0.1"] # several data sets of it; see below
  attacks: [none, badnets, "blend:alpha=0.1"]
  defenses: [none, nad, abl, "abl:gamma=1", auto, "unlearn:retrain"]
  seeds: [0, 1]
  settings: tune_epochs=10     # of all trainings
  plain: tune_epochs=8         # of those without defence
  plain_for: {dynamic: tune_epochs=15}
  clean: 0.05                  # share of clean images for fp, mcr, nad
  plots: [curves, separation]

Variations take limit (images), classes (so many), and as shares from 0 to 1
imbalance (the rarest class to the most frequent), duplicates (near ones) and
noise (wrong labels).`,
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
	var d setFlags
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
			names := experiment.PaperNames
			if args[0] != "all" {
				if !slices.Contains(names, args[0]) {
					return usagef("no experiment %q; there are all, %s", args[0], strings.Join(names, ", "))
				}
				names = args[:1]
			}
			return a.runSet(c.Context(), "unpoison: the paper's experiments", &f, &d, func() (all []*experiment.Grid, err error) {
				for _, n := range names {
					g, err := experiment.Paper(n, d.Data, d.scale == "quick", d.list())
					if err != nil {
						return nil, err
					}
					all = append(all, g)
				}
				return all, nil
			})
		},
	}
	f.add(c)
	d.add(c, []uint{0})
	c.Flags().Lookup("data").Usage += " (default: rendered signs)"
	return c
}

func (a *app) experimentVerdict() *cobra.Command {
	var f gridFlags
	var d setFlags
	c := &cobra.Command{
		Use:   "verdict",
		Short: "Measure how often the verdict of --defense auto is right",
		Long: `Asks for the verdict on many data sets, clean ones first and then some with
poison: subsets, few classes, unbalanced classes, 5 and 20 % wrong labels,
near-duplicates; of the data that are given, and of rendered signs. The results
begin with the rates of false alarms and of missed poison, and their upper
bounds. No network is trained on what is kept.`,
		Example: `  unpoison experiment verdict --scale quick --out try
  unpoison experiment verdict --data cifar10:DIR --gtsrb DIR2 --out verdicts`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.runSet(c.Context(), "unpoison: how often the verdict is right", &f, &d, func() ([]*experiment.Grid, error) {
				return experiment.VerdictGrids(d.Data, d.scale == "quick", d.list())
			})
		},
	}
	f.add(c)
	d.add(c, []uint{1, 2})
	return c
}

// setFlags are the flags of what runs several grids on several data sets.
type setFlags struct {
	experiment.Data
	scale string
	seeds []uint
}

func (d *setFlags) add(c *cobra.Command, seeds []uint) {
	fl := c.Flags()
	fl.StringVar(&d.CIFAR10, "data", "", "CIFAR-10, `DIR` or layout:DIR")
	fl.StringVar(&d.GTSRB, "gtsrb", "", "GTSRB, `DIR` or layout:DIR")
	fl.StringVar(&d.Photos, "photos", "", "photographs of 224 px, `DIR` or layout:DIR")
	fl.StringVar(&d.scale, "scale", "full", "quick or full")
	fl.UintSliceVar(&d.seeds, "seeds", seeds, "seeds of all runs")
}

func (d *setFlags) list() (all []uint64) {
	for _, s := range d.seeds {
		all = append(all, uint64(s))
	}
	return all
}

// runSet runs grids one after the other, each in the folder of its name, and joins their tables.
func (a *app) runSet(ctx context.Context, title string, f *gridFlags, d *setFlags, grids func() ([]*experiment.Grid, error)) error {
	if f.out == "" {
		return usagef("--out is required: a folder for the results")
	}
	if d.scale != "quick" && d.scale != "full" {
		return usagef("--scale %q; there are quick and full", d.scale)
	}
	all, err := grids()
	if err != nil {
		return err
	}
	if f.cell != "" {
		all = slices.DeleteFunc(all, func(g *experiment.Grid) bool {
			return !slices.ContainsFunc(g.Cells(), func(c experiment.Cell) bool { return c.Name() == f.cell })
		})
		if len(all) == 0 {
			return usagef("no cell %q", f.cell)
		}
	}
	start, budget := time.Now(), f.budget
	var pages []*experiment.Runner
	for _, g := range all {
		if budget > 0 {
			f.budget = max(time.Second, budget-time.Since(start))
		}
		var r *experiment.Runner
		if r, err = a.runGrid(ctx, g, filepath.Join(f.out, g.Name), f); err != nil {
			break
		}
		pages = append(pages, r)
	}
	return errors.Join(err, writeResults(f.out, title, pages))
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
	for _, t := range r.Tables() {
		if err := experiment.Markdown(a.out, t); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// writeResults joins the tables of several grids in results.md and index.html.
func writeResults(out, title string, all []*experiment.Runner) error {
	p := &report.Page{Title: title}
	var verdicts []experiment.Verdict
	for _, r := range all {
		verdicts = append(verdicts, r.Verdicts()...)
	}
	if len(verdicts) > 0 {
		p.Summary = []string{experiment.Rates(verdicts)}
	}
	err := atomicfile.Write(filepath.Join(out, "results.md"), func(w io.Writer) error {
		for _, line := range p.Summary {
			if _, err := fmt.Fprintf(w, "%s\n\n", line); err != nil {
				return err
			}
		}
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
		p.Tables, p.Figures = append(p.Tables, r.Tables()...), append(p.Figures, r.Figures...)
	}
	return p.Write(filepath.Join(out, "index.html"))
}
