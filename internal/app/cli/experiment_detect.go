package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/experiment/detect"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/report"
)

func (a *app) experimentDetect() *cobra.Command {
	var out, keep, only, cache, scale, network string
	var families, detectors []string
	var jobs int
	var retrain bool
	var budget time.Duration
	c := &cobra.Command{
		Use:   "detect",
		Short: "Compare the audit with published detectors on many data sets",
		Long: `Makes many data sets: clean ones of many families of images, and poisoned ones
by attack and poisoning rate. Trains a network without a defence on each, and
runs the audit and published detectors. After a kill, the same command
continues. Sets of families that are not given are left out, and counted.

experiment detect sets lists the sets and the sources of the families;
experiment detect table shows and plots the results.

--retrain also trains a network without the images that each detector flags: on
10,000 images of CIFAR-10 with 1 % planted (one set per attack), or on the set
that --only names. That is one more training run per detector and set.`,
		Example: `  unpoison experiment detect --scale quick --only signs-10000-clean --out try
  unpoison experiment detect --family cifar10=DIR --out bench --budget 2h
  unpoison experiment detect --family cifar10=DIR --detectors scan --out bench
  unpoison experiment detect --family cifar10=DIR --retrain --out bench
  unpoison experiment detect table --out bench --plots bench/plots`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f := gridFlags{out: out, jobs: jobs, budget: budget, cache: cache}
			if err := f.check(); err != nil {
				return err
			}
			if !slices.Contains(scales, scale) {
				return usagef("--scale %q; there are %s", scale, strings.Join(scales, ", "))
			}
			r := &detect.Runner{
				Folder: out, Keep: keep, Families: map[string]string{}, Cache: f.cacheDir(), Jobs: jobs, Budget: budget, Only: only,
				Network: network, Detectors: detectors, Retrain: retrain, Quick: scale == "quick",
			}
			for _, given := range families {
				name, dir, ok := strings.Cut(given, "=")
				if !ok || dir == "" {
					return usagef("--family %q, expected NAME=DIR", given)
				}
				r.Families[name] = dir
				if err := apart([]string{out, keep}, dir); err != nil {
					return err
				}
			}
			if err := r.Check(); err != nil {
				return &usageError{err}
			}
			return a.runDetect(c.Context(), r)
		},
	}
	fl := c.Flags()
	fl.StringVar(&out, "out", "", "`DIR` for networks, scores and run folders of the audit")
	fl.StringVar(&keep, "keep", "", "`DIR` for the results, a JSON Lines file (default: --out)")
	fl.StringArrayVar(&families, "family", nil, "`NAME=DIR`: the images of a family, DIR or layout:DIR; may be repeated")
	fl.StringVar(&only, "only", "", "measure only the set `NAME`")
	fl.StringVar(&network, "model", "", "`NAME` of the network; each has its own results file: "+strings.Join(model.Names(), ", ")+" (default wrn-16-1)")
	fl.StringSliceVar(&detectors, "detectors", nil, "`NAMES` of detectors, separated by commas (default all): "+strings.Join(detect.Names(), ", "))
	fl.BoolVar(&retrain, "retrain", false, "also train without the flagged images, on a few sets")
	fl.StringVar(&scale, "scale", "full", "quick or full; quick only tests that everything runs")
	fl.IntVar(&jobs, "jobs", 1, "sets that run at the same time, each with its share of the threads")
	fl.DurationVar(&budget, "budget", 0, "stop and save after this time, for example 2h")
	fl.StringVar(&cache, "cache", "", "`DIR` where attacks keep the networks they train, or none (default: the user's cache folder)")
	c.AddCommand(a.detectTable(), a.detectSets())
	// The line about further help would be too long with a name of three words.
	c.SetUsageTemplate(strings.NewReplacer(".FlagUsages", ".FlagUsagesWrapped 80", " for more information about a command", "").Replace(c.UsageTemplate()))
	return c
}

func (a *app) runDetect(ctx context.Context, r *detect.Runner) (err error) {
	if r.Backend, err = a.shared(r.Jobs); err != nil {
		return err
	}
	r.Watch, r.Say = a.watcher(), a.line
	err = r.Run(ctx)
	a.done()
	return err
}

func (a *app) detectTable() *cobra.Command {
	var out, markdown, plots, scale, network string
	c := &cobra.Command{
		Use:   "table",
		Short: "Show the results of experiment detect",
		Long: `Shows averages by role and by attack, false alarms on clean sets, sets on which
another detector is better than the audit, and every set. --json prints the
scores as they are stored.

--plots draws ROC curves (roc.svg, and one per attack), the TPR by poisoning
rate (rate-ATTACK.svg) and the share removed from clean sets (removed.svg), from
the sets that all detectors have scored.`,
		Example: `  unpoison experiment detect table --out bench
  unpoison experiment detect table --out results/detect --markdown detect.md
  unpoison experiment detect table --out bench --markdown detect.md --plots .`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usagef("--out is required: the folder with the results")
			}
			if !slices.Contains(scales, scale) {
				return usagef("--scale %q; there are %s", scale, strings.Join(scales, ", "))
			}
			path := detect.ResultsFile(out, network, scale == "quick")
			res, err := detect.Read(path)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s: no results; unpoison experiment detect --out %s makes them", path, out)
			}
			if err != nil {
				return err
			}
			if plots != "" {
				if err := a.drawDetectors(res, plots); err != nil {
					return err
				}
			}
			if !a.json || markdown != "" {
				if err := a.printTables("Detectors, measured", res.Tables(), markdown); err != nil {
					return err
				}
			}
			if a.json {
				return a.printJSON(map[string]any{"scores": res.Scores()})
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "`DIR` with the results: --keep or --out of experiment detect")
	c.Flags().StringVar(&markdown, "markdown", "", "`FILE` for the tables (default: standard output)")
	c.Flags().StringVar(&plots, "plots", "", "`DIR` for plots, as SVG and PNG (default: none)")
	c.Flags().StringVar(&scale, "scale", "full", "quick or full")
	c.Flags().StringVar(&network, "model", "", "`NAME` of the network (default wrn-16-1)")
	return c
}

// drawDetectors stores the plots of results in a folder.
func (a *app) drawDetectors(res *detect.Results, dir string) error {
	plots, err := res.Plots()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, p := range plots {
		if err := p.Save(filepath.Join(dir, p.Name)); err != nil {
			return err
		}
	}
	a.say("%d plots in %s, as SVG and PNG\n", len(plots), dir)
	return nil
}

// printTables writes tables as Markdown to a file, or to standard output.
func (a *app) printTables(title string, tables []report.Table, path string) error {
	text := "# " + title + "\n\n"
	for _, t := range tables {
		if len(t.Rows) > 0 || t.Note != "" {
			text += experiment.Markdown(t) + "\n"
		}
	}
	if path == "" {
		_, err := io.WriteString(a.out, text)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, []byte(text))
}

func (a *app) detectSets() *cobra.Command {
	return &cobra.Command{
		Use:   "sets",
		Short: "List the sets and the sources of their images",
		Example: `  unpoison experiment detect sets
  unpoison experiment detect sets --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			sets, err := detect.Sets()
			if err != nil {
				return err
			}
			families, err := detect.Families()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"sets": sets, "families": families})
			}
			f := report.Table{Title: "Families", Columns: []string{"family", "what", "from", "layout", "images", "licence"}}
			for _, x := range families {
				f.Rows = append(f.Rows, []string{x.Name, x.What, x.From, x.Layout, fmt.Sprint(x.Images), x.Licence})
			}
			s := report.Table{Title: "Sets", Columns: []string{"set", "family", "pixels", "images", "classes", "variation", "attack", "rate", "cover", "labels", "seed", "for"}}
			for _, x := range sets {
				s.Rows = append(s.Rows, []string{
					x.Name, x.Family, fmt.Sprint(x.Size), orAll(x.Images), orAll(x.Classes), x.Vary, x.Attack, x.Rate, x.Cover, x.Labels,
					fmt.Sprint(x.Seed), x.Role,
				})
			}
			return a.printTables("Sets to measure detectors on", []report.Table{f, s}, "")
		},
	}
}

func orAll(n int) string {
	if n == 0 {
		return "all"
	}
	return fmt.Sprint(n)
}
