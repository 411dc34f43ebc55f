package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gomlx/gomlx/backends"
	"go.yaml.in/yaml/v3"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// rendered is the data of a grid that renders road signs.
const rendered = "signs"

// Runner carries a grid out in a folder: cells/NAME for each run, then tables and plots.
type Runner struct {
	Grid    *Grid
	Folder  string
	Backend backends.Backend
	Cache   string                           // of what attacks learn; see attack.Env
	Keep    string                           // folder of results without their runs, a file a grid; see store. Empty: none
	Jobs    int                              // cells at a time; 0 is 1
	Budget  time.Duration                    // no cell is begun after it, and a training in progress is saved; 0: none. See errBudget
	Only    string                           // the name of the only cell to run; empty: all
	Shard   Shard                            // of the cells, for one of several machines
	Watch   func(Cell, train.Line)           // may be nil; cells side by side call it at the same time
	Say     func(format string, args ...any) // a line for each cell; may be nil

	claims claims // for tests; zero: as usual

	ctx     context.Context // Run's or Saved's, for plots; nil: none
	store   *store          // of Keep; nil: none
	mu      sync.Mutex
	pre     sync.Mutex // for pretrained
	told    bool       // that its images were normalised
	data    *dataset.Data
	from    string                         // data's digest
	trained string                         // that of its training images
	read    map[Cell]*runs.Result          // of finished cells
	drawn   []drawn                        // by Write
	spent   map[runs.Defense]time.Duration // of the cells that were run
	count   map[runs.Defense]int
}

// gridFile keeps the grid in its folder.
const gridFile = "grid.yaml"

// errBudget is what Run returns when the time is spent. Repairs and unlearning (fp, mcr, nad, unlearn:METHOD) have no
// stages that could be saved: a cell of these begins anew with the next run, and a budget shorter than the cell never
// gets further. A budget should be longer than the longest of them.
var errBudget = errors.New("the budget is spent; the same command goes on from here")

func (r *Runner) folder(c Cell) string { return filepath.Join(r.Folder, "cells", c.Name()) }

// Opened reports whether Run came as far as having the folder and the data; before that there is nothing to Write.
func (r *Runner) Opened() bool { return r.data != nil }

// Done reports whether a cell is finished. One whose result is damaged, or of another search, is not.
func (r *Runner) Done(c Cell) bool { return finished(r.folder(c)) }

func finished(folder string) bool {
	res, err := runs.ReadFinished(folder)
	return err == nil && !res.Earlier()
}

// has reports whether a cell has a result, perhaps of an earlier search.
func (r *Runner) has(c Cell) bool {
	_, err := runs.ReadFinished(r.folder(c))
	return err == nil
}

// sayUnfinished names the results of cells that are damaged, or of another search.
func (r *Runner) sayUnfinished(all []Cell) {
	for _, c := range all {
		if _, err := runs.ReadFinished(r.folder(c)); err != nil && !errors.Is(err, os.ErrNotExist) {
			r.say("%-32s does not count as finished: %v", c.Name(), err)
		} else if res := r.result(c); res != nil && res.Earlier() {
			r.say("%-32s does not count as finished: it was measured under another search", c.Name())
		}
	}
}

// result returns the result of a finished cell, or nil. One of an earlier search stands until there is a later one.
func (r *Runner) result(c Cell) *runs.Result {
	if res := r.read[c]; res != nil {
		return res
	}
	res, err := runs.ReadFinished(r.folder(c))
	if err != nil || res.Earlier() {
		if kept := r.store.cell(c.Name()); kept != nil {
			res, err = kept.Result, nil
		}
	}
	if err != nil {
		return nil
	}
	if r.read == nil {
		r.read = map[Cell]*runs.Result{}
	}
	r.read[c] = res
	return res
}

// Run runs the cells that are missing. Finished ones are never computed again, nor are those that another
// grid in a folder beside this one's has finished. A cell that fails stops no other than those that build on it; the
// errors come at the end.
func (r *Runner) Run(ctx context.Context) error {
	r.ctx = ctx
	if err := cmp.Or(r.Grid.Check(), r.Grid.checkRun()); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	if r.Budget > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, r.Budget, errBudget)
		defer stop()
	}
	r.spent, r.count = map[runs.Defense]time.Duration{}, map[runs.Defense]int{}
	if err := r.adopt(); err != nil {
		return err
	}
	all := r.Grid.Cells()
	for a := range r.Grid.PlainFor {
		if !r.Grid.attacks(a) {
			r.say("plain_for: the grid has no attack %s, so that its settings change nothing", a)
		}
	}
	r.sayUnfinished(all)
	for _, c := range all {
		if err := r.checkOrigin(c); err != nil {
			return err
		}
		if r.Done(c) {
			if err := r.keep(c); err != nil {
				return err
			}
		}
	}
	missing := r.arrange(r.missing(all))
	if r.Only != "" && len(missing) == 0 {
		if r.Grid.Has(r.Only) {
			return nil // finished
		}
		return NoCell(r.Only, r.Grid)
	}
	known := 0
	for _, c := range all {
		if r.known(c) {
			known++
		}
	}
	r.say("%s: %d of %d cells are finished", r.Grid.Name, known, len(all))
	return r.work(ctx, missing)
}

// open reads the data and keeps the grid beside the results.
func (r *Runner) open(ctx context.Context) error {
	if err := r.openFolder(); err != nil {
		return err
	}
	return r.load(ctx)
}

// openFolder makes the folder ready and keeps the grid in it.
func (r *Runner) openFolder() error {
	if err := os.MkdirAll(filepath.Join(r.Folder, "cells"), 0o777); err != nil {
		return err
	}
	g := r.Grid
	path := filepath.Join(r.Folder, gridFile)
	if old, err := Read(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	} else if err == nil && !g.extends(old) {
		return fmt.Errorf("%s holds the results of a grid with other data or settings; choose another --out, or give that folder's grid.yaml", r.Folder)
	}
	if err := r.openKept(); err != nil {
		return err
	}
	raw, err := yaml.Marshal(g)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, raw)
}

// load reads the grid's data once.
func (r *Runner) load(ctx context.Context) error {
	if r.data != nil {
		return nil
	}
	g := r.Grid
	d, err := g.load(ctx, g.Data, 0)
	if err != nil {
		return err
	}
	if g.Data != rendered {
		for _, line := range append([]string{d.Summary()}, d.Notes...) {
			r.say("%s", line)
		}
	}
	if t := d.Test; t != nil && g.Test > 0 && t.Len() > g.Test {
		d.Test = t.Subset(rng.Shuffle(0, "experiment test", t.Len())[:g.Test])
	}
	if r.trained, r.from, err = identify(ctx, d); err != nil {
		return err
	}
	r.data = d
	return nil
}

// load reads data, or renders signs by seed.
func (g *Grid) load(ctx context.Context, spec string, seed uint64) (*dataset.Data, error) {
	if spec != rendered {
		return dataset.Load(ctx, spec, dataset.Options{Limit: g.Limit, Size: g.Size})
	}
	return signs.Render(seed, cmp.Or(g.Limit, signs.Train), cmp.Or(g.Test, signs.Test)), nil
}

// pretrainedExt ends the name of a grid's file of a network, in place of data to train one on.
const pretrainedExt = ".safetensors"

// pretrained returns a network that was trained on other data, and the names of its classes, in the folder cells/pretrained.SEED. It is
// the same whichever cell asks first.
func (r *Runner) pretrained(ctx context.Context, s runs.Spec) (model.State, []string, error) {
	r.pre.Lock() // the first cell trains it, the others wait
	defer r.pre.Unlock()
	path := r.Grid.Pretrain
	if filepath.Ext(path) != pretrainedExt {
		s.Folder = filepath.Join(r.Folder, "cells", fmt.Sprintf("pretrained.%d", s.Options.Seed))
		path = filepath.Join(s.Folder, runs.ModelFile)
		if !finished(s.Folder) {
			d, err := r.Grid.load(ctx, cmp.Or(r.Grid.Pretrain, rendered), 1)
			if err != nil {
				return nil, nil, err
			}
			if d.Train.Height != r.data.Train.Height || d.Train.Width != r.data.Train.Width {
				return nil, nil, fmt.Errorf("pretrain: images of %d×%d, the grid's are %d×%d", d.Train.Height, d.Train.Width, r.data.Train.Height, r.data.Train.Width)
			}
			if s.Options, err = r.Grid.options("none", string(runs.Unlearning("ft-pretrained")), s.Options.Seed, d.Train.Len()); err != nil {
				return nil, nil, err
			}
			s.Data, s.Attacks, s.Defense, s.Origin = d, nil, "none", ""
			s.Options.Flip = s.Options.Flip && dataset.Flips(d.Layout)
			err = r.once(ctx, s.Folder, func(ctx context.Context) error {
				_, err := runs.Train(ctx, s)
				return err
			})
			if err != nil {
				return nil, nil, err
			}
		}
	}
	_, state, info, err := checkpoint.Load(path)
	if err != nil {
		return nil, nil, err
	}
	if !r.told && !info.Guessed && info.Normalize != nil {
		r.told = true
		r.say("%s learnt from images that were normalised, and is given them as they are, as the grid's networks are", path)
	}
	return state, info.Classes, nil
}

// varied returns the data as a variation's settings say; none leave them as they are.
func (r *Runner) varied(settings string, seed uint64) (*dataset.Data, error) {
	if settings == "" {
		return r.data, nil
	}
	v, err := variation(settings)
	if err != nil {
		return nil, err
	}
	return r.data.Vary(v, seed)
}

// attacks returns a cell's, as they suit the data, which are loaded. They are the same for all defences, so that only settings of the
// whole grid say whether attackers' networks learn from flipped images.
func (r *Runner) attacks(spec string, seed uint64) ([]attack.Config, error) {
	o := abl.Default()
	if err := settings.Set(r.Grid.Settings, &o); err != nil {
		return nil, err
	}
	all, err := r.Grid.attack(spec, seed)
	if err != nil || o.Flip && dataset.Flips(r.data.Layout) {
		return all, err
	}
	for i := range all {
		if own := all[i].Surrogate(); own != nil {
			own.NoFlip = true
		}
	}
	return all, nil
}

// unlearning returns the settings of the unlearning methods: a fresh network is trained by the recipe, and a batch that the grid's
// settings give holds.
func (g *Grid) unlearning(recipe train.Recipe) repair.UnlearnOptions {
	o := repair.DefaultUnlearn(0)
	o.Scratch, o.ScratchRate, o.ScratchSchedule = recipe.TuneEpochs, recipe.TuneRate, recipe.Schedule
	if slices.Contains(keys(g.Settings), "batch") {
		o.Batch = recipe.Batch
	}
	return o
}

// cell runs one cell, or goes on with it.
func (r *Runner) cell(ctx context.Context, c Cell) (err error) {
	defer dataset.Lost(&err)
	g := r.Grid
	data, err := r.varied(c.Vary, c.Seed)
	if err != nil {
		return err
	}
	if data != r.data {
		defer data.Train.Discard()
	}
	o, err := g.options(c.Attack, c.Defense, c.Seed, data.Train.Len())
	if err != nil {
		return err
	}
	attacks, err := r.attacks(c.Attack, c.Seed)
	if err != nil {
		return err
	}
	look, _, err := search(c.Defense)
	if err != nil {
		return err
	}
	o.Flip = o.Flip && dataset.Flips(r.data.Layout)
	spec := runs.Spec{
		Command: fmt.Sprintf("unpoison experiment run %s --out %s --cell %s", filepath.Join(r.Folder, gridFile), r.Folder, c.Name()),
		Data:    data, Attacks: attacks, Cache: r.Cache, Options: o, Auto: look, Folder: r.folder(c), Origin: r.from, Backend: r.Backend, Resume: true, Replace: true,
		Watch: func(e train.Line) {
			if r.Watch != nil {
				r.Watch(c, e)
			}
		},
	}
	if !runs.Defense(c.Defense).Repairs() {
		spec.Defense = runs.Kind(c.Defense)
		out, err := runs.Train(ctx, spec)
		if (errors.Is(err, train.ErrVersion) || errors.Is(err, train.ErrOther)) && r.has(c) && !r.Done(c) { // of an earlier search
			spec.Resume = false
			out, err = runs.Train(ctx, spec)
		}
		if err == nil {
			spec.Discard(out)
		}
		return err
	}
	rep := runs.RepairSpec{Spec: spec, Base: r.folder(c.Needs()[0]), Share: g.Clean, Tune: g.unlearning(o.Recipe)}
	if rep.Defense, rep.Repair, err = c.repair(int(g.Clean*float64(data.Train.Len())), o.Recipe); err != nil {
		return err
	}
	if n := c.Needs(); len(n) > 1 {
		rep.Suspects = r.folder(n[1])
	}
	if rep.Defense == runs.Unlearning("ft-pretrained") {
		if rep.Tune.Pretrained, rep.Tune.PretrainedClasses, err = r.pretrained(ctx, spec); err != nil {
			return err
		}
	}
	_, err = runs.RunRepair(ctx, rep)
	return err
}
