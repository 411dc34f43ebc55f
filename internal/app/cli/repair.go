package cli

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/repair"
)

func (a *app) repair() *cobra.Command {
	f := repairFlags{data: dataFlags{flag: "clean"}}
	c := &cobra.Command{
		Use:   "repair",
		Short: "Take a backdoor out of a trained model with some clean data",
		Long: `Repairs a model by fine-pruning (fp), mode connectivity repair (mcr) or neural
attention distillation (nad), with clean images that you trust: the training
images of --clean, or a share of them.`,
		Example: `  unpoison repair --method nad --model run/model.safetensors --clean DIR --out O
  unpoison repair --method fp --model M --clean cifar10:DIR --share 0.05 --out O`,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.model.file == "" || f.out == "" {
				return usagef("--model, --clean and --out are required")
			}
			m, err := repair.MethodNamed(f.method)
			if err != nil {
				return usagef("--method: %v", err)
			}
			if err := refuseUnused(c, "method", f.method, map[string][]string{"tolerance": {"fp"}, "beta": {"nad"}}); err != nil {
				return err
			}
			if !(f.share > 0 && f.share <= 1) {
				return usagef("--share %g, expected more than 0 and up to 1", f.share)
			}
			if err := f.options(c, 0).CheckFor(f.method); err != nil {
				return &usageError{err}
			}
			unlock, err := modelFolder(f.out)
			if err != nil {
				return err
			}
			defer unlock()
			return f.run(c, a, m)
		},
	}
	f.data.add(c)
	fl := c.Flags()
	fl.StringVar(&f.method, "method", "", "fp, mcr or nad")
	f.model.add(c)
	fl.StringVar(&f.out, "out", "", "`DIR` for the repaired model")
	fl.Float64Var(&f.share, "share", 1, "share of the clean images that is used, drawn by --seed")
	fl.Uint64Var(&f.o.Seed, "seed", 0, "seed of everything random")
	fl.IntVar(&f.o.Epochs, "epochs", 0, "epochs of each training (default 10; mcr and nad 20)")
	fl.IntVar(&f.o.Batch, "batch", 0, "images a step (default 64, of few images a quarter)")
	fl.Float64Var(&f.o.Rate, "rate", 0, "learning rate at the start (default 0.01; mcr and nad 0.1)")
	fl.Float64Var(&f.o.Tolerance, "tolerance", 0, "fp: accuracy on the clean images that pruning may cost (default 0.04)")
	fl.Float64Var(&f.o.Beta, "beta", 0, "nad: weight of the attention loss (default 1000)")
	fl.BoolVar(&f.noFlip, "no-flip", false, noFlipHelp)
	return c
}

// repairFlags are the flags of repair.
type repairFlags struct {
	data        dataFlags
	model       modelFlags
	method, out string
	share       float64
	o           repair.Options
	noFlip      bool
}

// options returns the method's settings for so many images, and over them those that were given.
func (f *repairFlags) options(c *cobra.Command, images int) repair.Options {
	all := repair.Defaults(f.method, images)
	for flag, set := range map[string]func(){
		"epochs": func() { all.Epochs = f.o.Epochs }, "batch": func() { all.Batch = f.o.Batch }, "rate": func() { all.Rate = f.o.Rate },
		"tolerance": func() { all.Tolerance = f.o.Tolerance }, "beta": func() { all.Beta = f.o.Beta },
	} {
		if c.Flags().Changed(flag) {
			set()
		}
	}
	return all
}

func (f *repairFlags) run(c *cobra.Command, a *app, m repair.Method) error {
	f.model.size = &f.data.opts.Size
	n, state, info, err := f.model.load(a)
	if err != nil {
		return err
	}
	if err := f.data.sizedFor(info); err != nil {
		return err
	}
	d, err := f.data.load(c.Context(), a, f.o.Seed)
	if err != nil {
		return err
	}
	if err := a.alignClasses(info, n, d.Train, d.Path); err != nil {
		return err
	}
	b, err := a.backend()
	if err != nil {
		return err
	}
	if err := computes(c.Context(), b, n, state, d.Train); err != nil {
		return err
	}
	clean := repair.Draw(d.Train, f.share, f.o.Seed)
	settings := f.options(c, clean.Len())
	settings.Seed, settings.Flip = f.o.Seed, !f.noFlip && dataset.Flips(d.Layout)
	res, err := repair.Run(c.Context(), m, &repair.Job{
		Backend: b, Network: n, State: state, Clean: clean, Options: settings, Watch: runs.Progress(a.watcher()),
	})
	a.done()
	if err != nil {
		return err
	}
	path := filepath.Join(f.out, runs.ModelFile)
	if err := saveModel(path, res.State, info, d); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]any{"model": path, "method": f.method, "clean_images": clean.Len(), "options": settings, "chose": res.Chose})
	}
	fmt.Fprintf(a.out, "%s\n  repaired by %s with %d clean images\n", path, f.method, clean.Len())
	for _, k := range slices.Sorted(maps.Keys(res.Chose)) {
		fmt.Fprintf(a.out, "  %-20s%g\n", k, res.Chose[k])
	}
	return nil
}
