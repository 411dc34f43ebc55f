package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
)

func (a *app) unlearn() *cobra.Command {
	var data dataFlags
	var file, suspects, out, method, pretrained string
	var seed uint64
	tune := repair.DefaultUnlearn()
	o := abl.Default()
	c := &cobra.Command{
		Use:   "unlearn",
		Short: "Take what suspicious images taught out of a model",
		Long: `Takes a model, the data that it was trained on and a list of suspects (as audit
and train write it: the column index, and isolated where only some count), and
writes a cleaned model. Accuracy on images that are no suspects is watched; a
model that would lose too much of it is not changed.

--method abl is gradient ascent. The others are those that the paper compares it
with; they watch nothing:

` + methodTable(),
		Example: `  unpoison unlearn --model run/model.safetensors --suspects run/suspects.csv \
      --data DIR --out clean
  unpoison unlearn --method retrain --model M --suspects S --data DIR --out O`,
		RunE: func(c *cobra.Command, _ []string) error {
			if file == "" || suspects == "" || out == "" {
				return usagef("--model, --suspects and --out are required")
			}
			if !slices.Contains(runs.UnlearnNames(), method) {
				return usagef("--method %q; there are %s", method, strings.Join(runs.UnlearnNames(), ", "))
			}
			if !slices.Contains(abl.Modes, o.Unlearn) {
				return usagef("--mode %q; there are %s", o.Unlearn, strings.Join(abl.Modes, ", "))
			}
			if err := cmp.Or(o.Check(), tune.Check()); err != nil {
				return &usageError{err}
			}
			n, state, info, err := checkpoint.Load(file)
			if err != nil {
				return err
			}
			data.opts.Size = info.Height
			d, err := data.load(c.Context(), a, seed)
			if err != nil {
				return err
			}
			if err := a.alignClasses(info, n, d.Train, d.Path); err != nil {
				return err
			}
			scores, isolated, err := runs.ReadSuspects(suspects, d.Train.Len())
			if err != nil {
				return err
			}
			parts := isolate.Split(scores, float64(isolated)/float64(len(scores)), o.HeldBackShare, seed)
			b, err := a.backend()
			if err != nil {
				return err
			}
			progress := runs.Progress(a.watcher())
			flip := dataset.Flips(d.Layout)
			if method != runs.UnlearnABL {
				m, err := repair.UnlearnMethodNamed(method)
				if err != nil {
					return err
				}
				tune.Seed, tune.Augment = seed, augment.Standard(min(info.Height, info.Width), flip)
				if pretrained != "" {
					if _, tune.Pretrained, _, err = checkpoint.Load(pretrained); err != nil {
						return err
					}
				}
				state, err := repair.Unlearn(c.Context(), m, &repair.UnlearnJob{
					Backend: b, Network: n, State: state, Data: d.Train, Kept: parts.Kept, Isolated: parts.Isolated, Options: tune, Watch: progress,
				})
				a.done()
				if err != nil {
					return err
				}
				path := filepath.Join(out, runs.ModelFile)
				if err := saveModel(path, state, info); err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]any{"model": path, "method": method, "isolated": len(parts.Isolated), "options": tune})
				}
				fmt.Fprintf(a.out, "%s\n  %s on %d isolated and %d kept images\n", path, method, len(parts.Isolated), len(parts.Kept))
				return nil
			}
			o.Seed, o.Flip = seed, flip
			res, err := abl.Unlearn(c.Context(), b, n, state, d.Train, parts, o, progress)
			a.done()
			if err != nil {
				return err
			}
			if err := saveModel(filepath.Join(out, runs.ModelFile), state, info); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(res)
			}
			fmt.Fprintf(a.out, "%s\n  isolated images known   %.1f %% before, %.1f %% after\n  held-back accuracy      %.1f %% before, %.1f %% after\n",
				filepath.Join(out, runs.ModelFile), 100*res.LowestBefore, 100*res.Isolated, 100*res.Before, 100*res.After)
			if res.Dropped > 0 {
				fmt.Fprintf(a.out, "  left out                %d images that hung on what was unlearnt\n", res.Dropped)
			}
			if res.RolledBack {
				fmt.Fprintln(a.out, "  rolled back: unlearning cost more accuracy than --tolerance allows")
			}
			return nil
		},
	}
	data.add(c)
	fl := c.Flags()
	fl.StringVar(&file, "model", "", "model `FILE`")
	fl.StringVar(&suspects, "suspects", "", "CSV `FILE` with the column index")
	fl.StringVar(&out, "out", "", "`DIR` for the cleaned model")
	fl.Uint64Var(&seed, "seed", 0, "seed of everything random")
	fl.StringVar(&o.Unlearn, "mode", o.Unlearn, "joint (the formula) or split (the published code)")
	fl.IntVar(&o.UnlearnSteps, "steps", o.UnlearnSteps, "steps at most")
	fl.Float64Var(&o.UnlearnRate, "rate", o.UnlearnRate, "learning rate")
	fl.StringVar(&method, "method", "abl", "how: abl or one of the above")
	fl.IntVar(&tune.Epochs, "tune-epochs", tune.Epochs, "the other methods: epochs of fine-tuning")
	fl.Float64Var(&tune.Rate, "tune-rate", tune.Rate, "the other methods: learning rate at the start")
	fl.IntVar(&tune.Scratch, "scratch-epochs", tune.Scratch, "retrain, self-learning: epochs of the fresh network")
	fl.StringVar(&pretrained, "pretrained", "", "ft-pretrained: model `FILE` trained on other data")
	fl.Float64Var(&o.UnlearnLimit, "loss-limit", o.UnlearnLimit, "isolated losses count up to here; 0: ln(classes), negative: unbounded")
	fl.BoolVar(&o.Refine, "refine", o.Refine, "a second round without the images that hung on what was unlearnt")
	fl.Float64Var(&o.Tolerance, "tolerance", o.Tolerance, "accuracy on held-back images that it may cost")
	return c
}

// methodTable lists the methods for the help.
func methodTable() string {
	var b strings.Builder
	for _, m := range repair.UnlearnMethods() {
		fmt.Fprintf(&b, "  %-14s%s\n", m.Name, m.About)
	}
	return strings.TrimRight(b.String(), "\n")
}

func saveModel(path string, state model.State, info *checkpoint.Info) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return checkpoint.Save(path, state, *info)
}
