package cli

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/model"
)

// gridFlags are the flags of everything that runs grids.
type gridFlags struct {
	out, cell, cache, keep string
	jobs                   int
	budget                 time.Duration
	shard                  experiment.Shard
}

func (f *gridFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.out, "out", "", "`DIR` for the runs, tables and plots")
	fl.StringVar(&f.cell, "cell", "", "run only the cell `NAME`")
	fl.StringVar(&f.keep, "keep", "", "`DIR` for results without their runs, one JSON Lines file per grid: cells in it are not run again, and finished cells are added")
	fl.IntVar(&f.jobs, "jobs", 1, "cells that run at the same time, each with its share of the threads; 2 need more memory than 1, but are faster on two cores")
	fl.DurationVar(&f.budget, "budget", 0, "stop and save after this time, for example 2h; fp, mcr, nad and unlearning start again")
	fl.StringVar(&f.cache, "cache", "", "`DIR` where attacks keep the networks they train, or none (default: the user's cache folder)")
}

func (f *gridFlags) check() error {
	switch {
	case f.out == "":
		return usagef("--out is required: a folder for the results")
	case f.jobs < 1:
		return usagef("--jobs %d, expected 1 or more", f.jobs)
	case f.budget < 0:
		return usagef("--budget %v, expected a time to come", f.budget)
	}
	return nil
}

func (f *gridFlags) cacheDir() string { return (&attackFlags{cache: f.cache}).cacheDir() }

func (a *app) experiment() *cobra.Command {
	c := &cobra.Command{
		Use:   "experiment",
		Short: "Run grids of experiments, and the paper's tables and figures",
		Long: `Runs every cell of a grid (attacks × defences × seeds) that is missing in --out,
and writes table.md, table.csv, table.json, plots and index.html. Work that
cells have in common is done once; training runs that another grid next to --out
has finished are copied from there. After a kill, the same command continues.`,
		Example: `  unpoison experiment paper unlearning --scale quick --out try
  unpoison experiment paper cifar10 --data cifar10:DIR --out results --budget 2h
  unpoison experiment run grid.yaml --out results`,
	}
	c.AddCommand(a.experimentRun(), a.experimentPaper(), a.experimentAuto(), a.experimentVerdict(), a.experimentDetect(), a.experimentTables(), a.experimentJoin())
	return c
}

func (a *app) experimentRun() *cobra.Command {
	var f gridFlags
	var shard string
	c := &cobra.Command{
		Use:   "run FILE",
		Short: "Run the grid in a YAML file",
		Long: `A grid is a file like this:

  name: small
  data: cifar10:DIR            # or signs, which are rendered
  vary: ["", "limit=5000,noise=0.1"] # variations of the data; see below
  attacks: [none, badnets, "blend:alpha=0.1", "badnets+sig:target=1"]
  defenses: [none, "nad:beta=500", abl, "abl:gamma=1", auto, "unlearn:retrain"]
  seeds: [0, 1]
  seeds_for: {abl: [2]}        # more seeds for one defence
  recipe: default              # or paper: 100 epochs, as published
  settings: tune_epochs=10     # of all training runs
  plain: tune_epochs=8         # of those without a defence
  plain_for: {dynamic: tune_epochs=15}
  clean: 0.05                  # share of clean images for fp, mcr, nad
  plots: [curves, separation]

Variations take limit and classes (numbers of images and of classes), and, from
0 to 1, imbalance (size of the rarest class to that of the most frequent),
duplicates (share of near-duplicates) and noise (share of wrong labels).

--shard I/N runs the I-th of N shares of the cells, for a cluster. Shares with
the same --out wait for work that another share does; see docs/clusters.md.`,
		Example: `  unpoison experiment run grid.yaml --out results
  unpoison experiment run grid.yaml --out results --cell badnets.abl.0
  unpoison experiment run grid.yaml --out results --shard 3/8`,
		Args: oneArgument("experiment run takes the file of one grid"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.setShard(shard); err != nil {
				return err
			}
			g, err := experiment.Read(args[0])
			if err != nil {
				return err
			}
			if err := cmp.Or(notShadowed("data:", g.Data), notShadowed("pretrain:", g.Pretrain)); err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			_, err = a.runGrid(c.Context(), g, f.out, &f)
			return err
		},
	}
	f.add(c)
	c.Flags().StringVar(&shard, "shard", "", "run the share `I/N` of the cells, 1/8 to 8/8 on eight machines")
	completeCells(c, func(args []string) ([]*experiment.Grid, error) {
		g, err := experiment.Read(strings.Join(args, " "))
		return []*experiment.Grid{g}, err
	})
	return c
}

func (a *app) experimentPaper() *cobra.Command {
	return a.experimentSet(&cobra.Command{
		Use:   "paper NAME",
		Short: "Repeat an experiment of the paper, or all",
		Long: "Repeats an experiment of the paper:\n\n  " + strings.Join(experiment.PaperNames(), "\n  ") + `
  all

--scale quick only tests that everything runs, with few images, a small network
and few epochs. --limit N takes only N of the training images; isolation in
gamma and turning-epoch then takes more epochs. Without --data, road signs are
rendered.`,
		Example: `  unpoison experiment paper all --scale quick --out try
  unpoison experiment paper cifar10 --data cifar10:DIR --seeds 0,1 --out results`,
	}, set{
		title: "The experiments of Anti-Backdoor Learning (Li et al., NeurIPS 2021), repeated",
		names: experiment.PaperNames(), command: (*experiment.Grid).PaperCommand,
	}, experiment.Paper)
}

func (a *app) experimentAuto() *cobra.Command {
	return a.experimentSet(&cobra.Command{
		Use:   "auto NAME",
		Short: "Measure --defense auto, from the search to the trained model",
		Long: `The experiments:

  cifar10      clean data and ten attacks, two seeds or three
  rates        six poisoning rates under four attacks
  gtsrb        road signs under five attacks
  photos       photographs under two attacks
  adaptive     triggered images with their own labels; two triggers, two targets
  small-class  the target is the rarest class
  ablation     without one of its parts
  all

Networks are trained on the kept images. The tables say what was found and
removed, and how good the models are. In cifar10, gtsrb and photos they also
compare with networks that were trained on the same images before the attack
(defence before). experiment verdict measures verdicts alone. --limit N takes
only N of the training images.`,
		Example: `  unpoison experiment auto rates --scale quick --out try
  unpoison experiment auto cifar10 --data cifar10:DIR --out auto --budget 2h`,
	}, set{title: "Auto, measured", names: experiment.AutoNames(), command: (*experiment.Grid).AutoCommand}, experiment.Auto)
}

// experimentSet makes c the command that runs the experiment of a set which its argument names, or all.
func (a *app) experimentSet(c *cobra.Command, s set, of func(name string, data experiment.Data, quick bool, seeds []uint64) (*experiment.Grid, error)) *cobra.Command {
	var f gridFlags
	var d setFlags
	grids := func(args []string) ([]*experiment.Grid, error) { return named(args, s.names, &d, of) }
	c.Args = oneArgument("experiment " + c.Name() + " takes the name of one experiment, or all")
	c.ValidArgs = append([]string{"all"}, s.names...)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if s.grids, err = grids(args); err != nil {
			return err
		}
		return a.runSet(c.Context(), s, &f, &d)
	}
	f.add(c)
	completeCells(c, grids)
	d.add(c, []uint{0})
	d.addLimit(c)
	return c
}

// named makes the experiment that the argument names, or all of a set.
func named(args []string, names []string, d *setFlags, of func(name string, data experiment.Data, quick bool, seeds []uint64) (*experiment.Grid, error)) ([]*experiment.Grid, error) {
	if name := strings.Join(args, " "); name != "all" {
		if !slices.Contains(names, name) {
			return nil, usagef("no experiment %q; there are all, %s", name, strings.Join(names, ", "))
		}
		names = []string{name}
	}
	var grids []*experiment.Grid
	for _, n := range names {
		g, err := of(n, d.Data, d.scale == "quick", d.list())
		if err != nil {
			return nil, err
		}
		grids = append(grids, g)
	}
	return grids, nil
}

func (a *app) experimentVerdict() *cobra.Command {
	var f gridFlags
	var d setFlags
	var network string
	list := func([]string) ([]*experiment.Grid, error) {
		return experiment.VerdictGrids(d.Data, network, d.scale == "quick", d.list())
	}
	c := &cobra.Command{
		Use:   "verdict",
		Short: "Measure how often the verdict of --defense auto is right",
		Long: `Measures verdicts on many data sets, clean ones first and then poisoned ones:
subsets, few classes, unbalanced classes, 5 and 20 % wrong labels and
near-duplicates, of the given data and of rendered signs. The results begin with
the rates of false alarms and of missed poison, and their upper bounds. No
network is trained on the kept images.`,
		Example: `  unpoison experiment verdict --scale quick --out try
  unpoison experiment verdict --data cifar10:DIR --gtsrb DIR2 --out verdicts
  unpoison experiment verdict --model small-cnn --data cifar10:DIR --out small`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			grids, err := list(nil)
			if err != nil {
				return &usageError{err}
			}
			s := set{title: "How often the verdict is right", grids: grids, rates: true, command: func(*experiment.Grid) string {
				return experiment.VerdictCommand(d.Data, network, d.scale == "quick", d.list())
			}}
			for _, g := range grids {
				s.names = append(s.names, g.Name)
			}
			return a.runSet(c.Context(), s, &f, &d)
		},
	}
	f.add(c)
	completeCells(c, list)
	d.add(c, []uint{1, 2})
	c.Flags().StringVar(&network, "model", "", "network: "+strings.Join(model.Names(), ", ")+" (default wrn-16-1; small-cnn with --scale quick)")
	return c
}

// set is several grids that make one document.
type set struct {
	title   string
	names   []string                      // of all of them, in the document's order
	grids   []*experiment.Grid            // to be run now
	command func(*experiment.Grid) string // that repeats one
	rates   bool                          // of the verdicts in all of them come first
}

// setFlags are the flags of what runs several grids on several data sets.
type setFlags struct {
	experiment.Data
	scale    string
	seeds    []uint
	markdown string
}
