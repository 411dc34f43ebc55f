package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/printable"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
	"github.com/unpoison/unpoison/train"
)

func (a *app) unlearn() *cobra.Command {
	f := unlearnFlags{tune: repair.DefaultUnlearn(0), o: abl.Default()}
	c := &cobra.Command{
		Use:   "unlearn",
		Short: "Make a model unlearn suspicious images",
		Long: `Takes a model, the data that it was trained on and a list of suspects, and
writes a cleaned model. The list is one that audit or train wrote, or a CSV file
with the columns source and digest; with a column isolated, only rows count in
which it is true. Accuracy on other images is measured: if it would fall by more
than --tolerance, or the model still knows the suspects at the end, no model is
written and the command exits with 1.

--method abl is gradient ascent. The others are those that the paper compares it
with; they check no accuracy:

` + methodTable(),
		Example: `  unpoison unlearn --model run/model.safetensors --suspects run/suspects.csv \
      --data DIR --out clean
  unpoison unlearn --method retrain --model M --suspects S --data DIR --out O`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := cmp.Or(f.check(), f.unusedByMethod(c)); err != nil {
				return err
			}
			unlock, err := modelFolder(f.out)
			if err != nil {
				return err
			}
			defer unlock()
			return f.run(c.Context(), a)
		},
	}
	f.add(c)
	return c
}

// unlearnFlags are the flags of unlearn.
type unlearnFlags struct {
	data                              dataFlags
	model                             modelFlags
	suspects, out, method, pretrained string
	seed                              uint64
	byIndex, noFlip                   bool
	tune                              repair.UnlearnOptions
	o                                 abl.Options
}

func (f *unlearnFlags) add(c *cobra.Command) {
	f.data.add(c)
	fl := c.Flags()
	f.model.add(c)
	fl.StringVar(&f.suspects, "suspects", "", "CSV `FILE` with the columns source and digest, or a run's folder")
	fl.BoolVar(&f.noFlip, "no-flip", false, noFlipHelp)
	fl.BoolVar(&f.byIndex, "by-index", false, byIndexHelp)
	fl.StringVar(&f.out, "out", "", "`DIR` for the cleaned model")
	fl.Uint64Var(&f.seed, "seed", 0, "random seed")
	fl.StringVar(&f.o.Unlearn, "mode", f.o.Unlearn, "abl: joint (the paper's formula) or split (its published code)")
	fl.IntVar(&f.o.UnlearnSteps, "steps", f.o.UnlearnSteps, "abl: steps of a round, at most")
	fl.Float64Var(&f.o.UnlearnRate, "rate", f.o.UnlearnRate, "abl: learning rate")
	fl.StringVar(&f.method, "method", "abl", "abl, or one of the above")
	fl.IntVar(&f.tune.Epochs, "tune-epochs", f.tune.Epochs, "other methods: epochs of fine-tuning")
	fl.Float64Var(&f.tune.Rate, "tune-rate", f.tune.Rate, "other methods: learning rate at the start")
	fl.IntVar(&f.tune.Scratch, "scratch-epochs", f.tune.Scratch, "retrain, self-learning: epochs of the new network")
	fl.StringVar(&f.pretrained, "pretrained", "", "ft-pretrained: model `FILE` trained on other data")
	fl.Float64Var(&f.o.UnlearnLimit, "loss-limit", f.o.UnlearnLimit, "abl: cap on the loss of isolated images; 0: ln(classes), negative: none")
	fl.BoolVar(&f.o.Refine, "refine", f.o.Refine, "abl: unlearn in a second round, without kept images that lost their label in the first")
	fl.Float64Var(&f.o.Tolerance, "tolerance", f.o.Tolerance, "abl: accuracy on held-out images that unlearning may cost")
}

// check reports what can't be, before anything is read.
func (f *unlearnFlags) check() error {
	if f.model.file == "" || f.suspects == "" || f.out == "" {
		return usagef("--model, --suspects and --out are required")
	}
	if !slices.Contains(runs.UnlearnNames(), f.method) {
		return usagef("--method %q; there are %s", f.method, strings.Join(runs.UnlearnNames(), ", "))
	}
	if !slices.Contains(abl.Modes(), f.o.Unlearn) {
		return usagef("--mode %q; there are %s", f.o.Unlearn, strings.Join(abl.Modes(), ", "))
	}
	if f.method == "ft-pretrained" && f.pretrained == "" {
		return usagef("--method ft-pretrained starts from a model that was trained on other data: --pretrained FILE is required")
	}
	if err := cmp.Or(f.o.Check(), f.tune.CheckFor(f.method)); err != nil {
		return &usageError{err}
	}
	return nil
}

// unlearning is a model with what it shall forget.
type unlearning struct {
	*subject
	parts *isolate.Parts
}

func (f *unlearnFlags) run(ctx context.Context, a *app) error {
	if err := a.checkList(&f.suspects, suspectsList, f.byIndex); err != nil {
		return err
	}
	var from *checkpoint.Info
	if f.pretrained != "" {
		p := modelFlags{file: f.pretrained, fixed: true, tensors: true}
		_, state, info, err := p.load(a)
		if err != nil {
			return err
		}
		f.tune.Pretrained, f.tune.PretrainedClasses, from = state, info.Classes, info
	}
	s, err := a.subject(ctx, &f.model, &f.data, f.seed)
	if err != nil {
		return err
	}
	if from != nil && !from.Guessed && !from.SeesLike(s.info) {
		fmt.Fprintf(a.err, "note: %s learnt from images that were normalised in another way than those of %s, as which they are given to it\n", printable.Text(f.pretrained), printable.Text(f.model.file))
	}
	parts, err := runs.ReadParts(runs.List{Path: f.suspects, Set: s.data.Train, ByIndex: f.byIndex}, f.o.HeldBackShare, f.seed)
	if err != nil {
		return err
	}
	u := &unlearning{s, parts}
	if f.method == runs.UnlearnABL {
		return f.ascend(ctx, a, u)
	}
	return f.tuneOn(ctx, a, u)
}

// tuneOn unlearns by one of the methods that the paper compares.
func (f *unlearnFlags) tuneOn(ctx context.Context, a *app, u *unlearning) error {
	j := &repair.UnlearnJob{Backend: u.backend, Network: u.network, State: u.state, Data: u.data.Train, Options: f.tune, Watch: runs.Progress(a.watcher())}
	state, err := runs.TuneOn(ctx, f.method, j, u.parts, train.Recipe{Seed: f.seed, Augment: true, Flip: !f.noFlip && dataset.Flips(u.data.Layout)})
	a.done()
	if err != nil {
		return err
	}
	path := filepath.Join(f.out, runs.ModelFile)
	if err := saveModel(path, state, u.info, u.data); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]any{"model": path, "method": f.method, "isolated": len(j.Isolated), "options": j.Options})
	}
	fmt.Fprintf(a.out, "%s\n  %s on %d isolated and %d kept images\n", path, f.method, len(j.Isolated), len(j.Kept))
	return nil
}

// ascend unlearns by gradient ascent, ABL's way.
func (f *unlearnFlags) ascend(ctx context.Context, a *app, u *unlearning) error {
	f.o.Seed, f.o.Flip = f.seed, !f.noFlip && dataset.Flips(u.data.Layout)
	res, err := abl.Unlearn(ctx, u.backend, u.network, u.state, u.data.Train, u.parts, f.o, runs.Progress(a.watcher()))
	a.done()
	if err != nil {
		return err
	}
	path := filepath.Join(f.out, runs.ModelFile)
	if res.Unlearnt {
		if err := saveModel(path, u.state, u.info, u.data); err != nil {
			return err
		}
	}
	if a.json {
		return cmp.Or(a.printJSON(res), failedUnlearning(res))
	}
	if res.Unlearnt {
		fmt.Fprintln(a.out, path)
	}
	fmt.Fprintf(a.out, "  isolated images known   %.1f %% before, %.1f %% after\n  held-out accuracy       %.1f %% before, %.1f %% after\n",
		100*res.LowestBefore, 100*res.Isolated, 100*res.Before, 100*res.After)
	if res.Dropped > 0 {
		fmt.Fprintf(a.out, "  left out                %d images that lost their label in the first round\n", res.Dropped)
	}
	if res.RolledBack {
		fmt.Fprintf(a.out, "  rolled back: %s\n", res.Because())
	}
	return failedUnlearning(res)
}

// failedUnlearning is the error of an unlearning after which the network still knows the isolated images.
func failedUnlearning(o *abl.Outcome) error {
	if o.Unlearnt {
		return nil
	}
	return fmt.Errorf("%s: no model is written; more --steps, another --rate or --tolerance may do it", unlearnt(o))
}

// methodTable lists the methods for the help.
func methodTable() string {
	var b strings.Builder
	for _, m := range repair.UnlearnMethods() {
		fmt.Fprintf(&b, "  %-14s%s\n", m.Name, m.About)
	}
	return strings.TrimRight(b.String(), "\n")
}

// modelFolder makes a folder ready for a model and locks it. One that holds a model or a run is refused. A new one that is still empty
// goes with its lock.
func modelFolder(out string) (unlock func(), err error) {
	_, missing := os.Stat(out)
	if err := os.MkdirAll(out, 0o777); err != nil {
		return nil, err
	}
	release, err := atomicfile.Lock(out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", out, err)
	}
	unlock = func() {
		if missing != nil {
			os.Remove(out) // which does nothing to a folder with files
		}
		release()
	}
	for _, f := range []string{runs.ModelFile, runs.ResultFile, train.ProgressFile} {
		if _, err := os.Stat(filepath.Join(out, f)); err == nil {
			unlock()
			return nil, fmt.Errorf("%s holds a model or a run already (%s); choose another --out", out, f)
		}
	}
	if err := atomicfile.Clean(out); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// saveModel writes a model that was changed by what some data taught: a depth that its file does not say is theirs.
func saveModel(path string, state model.State, info *checkpoint.Info, learnt *dataset.Data) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	info.Depth, info.Version = cmp.Or(info.Depth, learnt.Depth), version.Number
	return checkpoint.Save(path, state, *info)
}
