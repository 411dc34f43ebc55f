package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/app/runs"
)

func (a *app) demo() *cobra.Command {
	var out string
	var seed uint64
	c := &cobra.Command{
		Use:   "demo",
		Short: "Poison rendered road signs, and train with and without a defence",
		Long: `Renders road signs and plants a sticker in 10 % of the training images, so that
a network reads any sign with the sticker as "turn left". Trains a small network
without a defence, with the default defence (auto) and with Anti-Backdoor
Learning, and writes a page that shows what happened.`,
		Example: `  unpoison demo
  unpoison demo --out demo --seed 1`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := clearDemo(out); err != nil {
				return err
			}
			b, err := a.backend()
			if err != nil {
				return err
			}
			start := time.Now()
			data := signs.Render(seed, signs.Train, signs.Test)
			conf := attack.Defaults("badnets")
			conf.Seed, conf.Target, conf.Own = seed, 9, &attack.BadNets{PatchSize: 5}
			o := abl.Demo()
			o.Seed = seed
			watch := a.watcher()
			var d runs.Demo
			for k, r := range []struct {
				say, folder string
				defense     runs.Defense
				at          []attack.Config
				to          **runs.Outcome
			}{
				{"on clean data, to compare", "clean", "none", nil, &d.Clean},
				{"on poisoned data, without defence", "undefended", "none", []attack.Config{conf}, &d.Plain},
				{"on poisoned data, with the default: search, drop, train", "auto", "auto", []attack.Config{conf}, &d.Auto},
				{"on poisoned data, with Anti-Backdoor Learning", "abl", "abl", []attack.Config{conf}, &d.ABL},
			} {
				a.say("%d/4  %s\n", k+1, r.say)
				if *r.to, err = runs.Train(c.Context(), runs.Spec{
					Backend: b,
					Command: a.command(), Data: data, Attacks: r.at, Defense: r.defense, Options: o, Auto: audit.Default(), Folder: filepath.Join(out, r.folder), Watch: watch,
				}); err != nil {
					return err
				}
			}
			a.done()
			page := filepath.Join(out, "demo.html")
			if err := d.WritePage(page, data); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"clean": d.Clean.Result, "undefended": d.Plain.Result, "auto": d.Auto.Result, "abl": d.ABL.Result, "page": page})
			}
			a.sumDemo(&d)
			fmt.Fprintf(a.out, `
Open these next:
  %-42s what happened, with pictures
  %-42s what you get for your own data
%.0f seconds
`, page, filepath.Join(out, "auto", runs.ReportFile), time.Since(start).Seconds())
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "unpoison-demo", "`DIR` for the page and the runs")
	c.Flags().Uint64Var(&seed, "seed", 0, "random seed")
	return c
}

// sumDemo prints what the demo's runs came to.
func (a *app) sumDemo(d *runs.Demo) {
	fmt.Fprintf(a.out, "\n%-32s %8s %8s %10s\n", "", "CA", "ASR", "precision")
	for _, r := range d.Runs() {
		fmt.Fprintf(a.out, "%-32s %8s %8s %10s\n", r.Name, runs.Percent(r.Result.CA), runs.Percent(r.Result.ASR), runs.Precision(r.Result.Isolation))
	}
	fmt.Fprintf(a.out, `
auto says: %s. %d images were left out.
CA: accuracy on clean test images. ASR: triggered images taken for the target.
precision: share of the images set aside that are poisoned.
`, d.Auto.Verdict.Says, d.Auto.Verdict.Removed)
}

// clearDemo removes an earlier demo, perhaps an interrupted one: its page and runs of its names. Where there is anything
// else it removes nothing.
func clearDemo(out string) error {
	entries, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		_, err := os.Stat(filepath.Join(out, e.Name(), runs.LogFile))
		if e.Name() != "demo.html" && (err != nil || !slices.Contains([]string{"clean", "undefended", "auto", "abl", "defended"}, e.Name())) {
			return fmt.Errorf("%s holds something else than a demo (%s); choose another --out", out, e.Name())
		}
	}
	if name := othersRun(out, entries); name != "" {
		return fmt.Errorf("%s holds a run that is no demo's (%s); choose another --out", out, name)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(out, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// othersRun returns the name of a folder with a run that no demo made; empty if there is none. An unfinished run says nothing of
// itself, but follows a demo's finished ones if it is not the first.
func othersRun(out string, entries []fs.DirEntry) string {
	const first = "clean"
	ofDemo, unfinished := false, ""
	for _, e := range entries {
		r, err := runs.ReadResult(filepath.Join(out, e.Name(), runs.ResultFile))
		switch {
		case !e.IsDir():
		case err != nil && e.Name() != first:
			unfinished = e.Name()
		case err != nil:
			ofDemo = true
		case !byDemo(r.Command):
			return e.Name()
		default:
			ofDemo = true
		}
	}
	if ofDemo {
		return ""
	}
	return unfinished
}

// byDemo tells whether a run's command was a demo.
func byDemo(command string) bool {
	for _, word := range strings.Fields(command) {
		if slices.Contains([]string{"demo", "train", "audit", "experiment"}, word) {
			return word == "demo"
		}
	}
	return false
}
