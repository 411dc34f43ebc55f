package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/app/runs"
)

func (a *app) demo() *cobra.Command {
	var out string
	var seed uint64
	c := &cobra.Command{
		Use:   "demo",
		Short: "Poison rendered road signs and train with and without defence",
		Long: `Renders road signs, plants a sticker in 10 % of the training images that turns
every sign into a turn left, trains a small network without defence and with
Anti-Backdoor Learning, and writes a page that shows what happened.`,
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
			train := func(name string, defense runs.Defense, at ...attack.Config) (*runs.Outcome, error) {
				a.say("%s\n", map[string]string{
					"clean": "1/3  on clean data, to compare", "undefended": "2/3  on poisoned data, without defence",
					"defended": "3/3  on poisoned data, with Anti-Backdoor Learning",
				}[name])
				return runs.Train(c.Context(), runs.Spec{
					Backend: b,
					Command: a.command(), Data: data, Attacks: at, Defense: defense, Options: o, Folder: filepath.Join(out, name), Watch: watch,
				})
			}
			clean, err := train("clean", "none")
			if err != nil {
				return err
			}
			plain, err := train("undefended", "none", conf)
			if err != nil {
				return err
			}
			defended, err := train("defended", "abl", conf)
			if err != nil {
				return err
			}
			a.done()
			page := filepath.Join(out, "demo.html")
			if err := runs.DemoPage(page, data, clean, plain, defended); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"clean": clean.Result, "undefended": plain.Result, "defended": defended.Result, "page": page})
			}
			fmt.Fprintf(a.out, "\n%-32s %8s %8s %12s\n", "", "CA", "ASR", "isolation")
			for _, r := range []struct {
				name string
				o    *runs.Outcome
			}{{"clean data", clean}, {"poisoned, no defence", plain}, {"poisoned, ABL", defended}} {
				fmt.Fprintf(a.out, "%-32s %8s %8s %12s\n", r.name, runs.Percent(r.o.Result.CA), runs.Percent(r.o.Result.ASR), runs.Precision(r.o.Result.Isolation))
			}
			fmt.Fprintf(a.out, `
CA: accuracy on clean test images. ASR: triggered images taken for the target.
isolation: share of the isolated images that are poisoned.

%-46s what happened, with pictures
%-46s the three runs: model, result, log, suspects
%.0f seconds
`, page, filepath.Join(out, "{clean,undefended,defended}"), time.Since(start).Seconds())
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "unpoison-demo", "`DIR` for the page and the runs")
	c.Flags().Uint64Var(&seed, "seed", 0, "seed of everything random")
	return c
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
		if e.Name() != "demo.html" && (err != nil || !slices.Contains([]string{"clean", "undefended", "defended"}, e.Name())) {
			return fmt.Errorf("%s holds something else than a demo (%s); choose another --out", out, e.Name())
		}
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(out, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
