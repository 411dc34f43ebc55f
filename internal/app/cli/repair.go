package cli

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/printable"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
)

func (a *app) repair() *cobra.Command {
	f := repairFlags{data: dataFlags{flag: "clean"}}
	c := &cobra.Command{
		Use:   "repair",
		Short: "Remove a backdoor from a trained model with some clean data",
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
	fl.Float64Var(&f.share, "share", 1, "share of the clean images to use, drawn by --seed")
	fl.Uint64Var(&f.o.Seed, "seed", 0, "random seed")
	fl.IntVar(&f.o.Epochs, "epochs", 0, "epochs of each training (default 10; mcr and nad 20)")
	fl.IntVar(&f.o.Batch, "batch", 0, "images per training step (default 64, or a quarter of few images)")
	fl.Float64Var(&f.o.Rate, "rate", 0, "learning rate at the start (default 0.01; mcr and nad 0.1)")
	fl.Float64Var(&f.o.Tolerance, "tolerance", 0, "fp: accuracy on clean images that pruning may cost (default 0.04)")
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

// subject is a model with the data that it is changed by.
type subject struct {
	network *model.Network
	state   model.State
	info    *checkpoint.Info
	data    *dataset.Data
	backend backends.Backend
}

// subject loads a model and data that it has to fit.
func (a *app) subject(ctx context.Context, m *modelFlags, d *dataFlags, seed uint64) (*subject, error) {
	var s subject
	var err error
	m.size = &d.opts.Size
	if s.network, s.state, s.info, err = m.load(a); err != nil {
		return nil, err
	}
	if err := d.sizedFor(s.info); err != nil {
		return nil, err
	}
	if s.data, err = d.load(ctx, a, seed); err != nil {
		return nil, err
	}
	own := len(s.data.Train.Classes)
	if err := a.alignClasses(s.info, s.network, s.data.Train, s.data); err != nil {
		return nil, err
	}
	if own < s.network.Classes {
		fmt.Fprintf(a.err, "note: %s has images of %d of the model's %d classes: it may forget the others\n", printable.Text(s.data.Path), own, s.network.Classes)
	}
	if s.backend, err = a.backend(); err != nil {
		return nil, err
	}
	return &s, computes(ctx, s.backend, s.network, s.state, s.data.Train)
}

func (f *repairFlags) run(c *cobra.Command, a *app, m repair.Method) error {
	s, err := a.subject(c.Context(), &f.model, &f.data, f.o.Seed)
	if err != nil {
		return err
	}
	clean := repair.Draw(s.data.Train, f.share, f.o.Seed)
	settings := f.options(c, clean.Len())
	settings.Seed, settings.Flip = f.o.Seed, !f.noFlip && dataset.Flips(s.data.Layout)
	res, err := repair.Run(c.Context(), m, &repair.Job{
		Backend: s.backend, Network: s.network, State: s.state, Clean: clean, Options: settings, Watch: runs.Progress(a.watcher()),
	})
	a.done()
	if err != nil {
		return err
	}
	path := filepath.Join(f.out, runs.ModelFile)
	if err := saveModel(path, res.State, s.info, s.data); err != nil {
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
