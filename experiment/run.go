package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gomlx/gomlx/backends"
	"go.yaml.in/yaml/v3"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
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
	Budget  time.Duration                    // no cell is begun after it, and one in progress is saved; 0: none
	Only    string                           // the name of the only cell to run; empty: all
	Shard   Shard                            // of the cells, for one of several machines
	Watch   func(Cell, train.Line)           // may be nil; cells side by side call it at the same time
	Say     func(format string, args ...any) // a line for each cell

	claims claims // for tests; zero: as usual

	store *store // of Keep; nil: none
	mu    sync.Mutex
	pre   sync.Mutex // for pretrained
	data  *dataset.Data
	from  string                         // data's digest, once known
	read  map[Cell]*runs.Result          // of finished cells
	drawn []drawn                        // by Write
	spent map[runs.Defense]time.Duration // of the cells that were run
	count map[runs.Defense]int
}

// gridFile keeps the grid in its folder.
const gridFile = "grid.yaml"

var errBudget = errors.New("the budget is spent; the same command goes on from here")

func (r *Runner) folder(c Cell) string { return filepath.Join(r.Folder, "cells", c.Name()) }

// Opened reports whether Run came as far as having the folder and the data; before that there is nothing to Write.
func (r *Runner) Opened() bool { return r.data != nil }

// Done reports whether a cell is finished.
func (r *Runner) Done(c Cell) bool {
	_, err := os.Stat(filepath.Join(r.folder(c), runs.ResultFile))
	return err == nil
}

// result returns the result of a finished cell, or nil.
func (r *Runner) result(c Cell) *runs.Result {
	if res := r.read[c]; res != nil {
		return res
	}
	res, err := runs.ReadResult(filepath.Join(r.folder(c), runs.ResultFile))
	if err != nil {
		kept := r.store.cell(c.Name())
		if kept == nil {
			return nil
		}
		res = kept.Result
	}
	if r.read == nil {
		r.read = map[Cell]*runs.Result{}
	}
	r.read[c] = res
	return res
}

// Run runs the cells that are missing. Finished ones are never computed again, nor are those that another
// grid in a folder beside this one's has finished.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.Grid.Check(); err != nil {
		return err
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
	r.Say("%s: %d of %d cells are finished", r.Grid.Name, known, len(all))
	return r.work(ctx, missing)
}

// work runs cells in their order, some at a time, each when what it needs is there.
func (r *Runner) work(ctx context.Context, cells []Cell) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	finished := map[Cell]chan struct{}{}
	for _, c := range cells {
		finished[c] = make(chan struct{})
	}
	queue := make(chan int)
	go func() {
		defer close(queue)
		for i := range cells {
			select {
			case queue <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var group sync.WaitGroup
	for range max(1, r.Jobs) {
		group.Go(func() {
			for i := range queue {
				c := cells[i]
				for _, n := range c.needs() {
					if f := finished[n]; f != nil {
						select {
						case <-f:
						case <-ctx.Done():
							return
						}
					}
				}
				start := time.Now()
				err := r.once(ctx, r.folder(c), func(ctx context.Context) error { return r.cell(ctx, c) })
				if err == nil {
					err = r.keep(c)
				}
				if err != nil {
					stop(fmt.Errorf("cell %s: %w", c.Name(), err))
					return
				}
				r.tell(c, time.Since(start), cells[i+1:])
				close(finished[c])
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// tell says that a cell is finished, and what the rest will take by what its like took.
func (r *Runner) tell(c Cell, took time.Duration, rest []Cell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spent[runs.Kind(c.Defense)] += took
	r.count[runs.Kind(c.Defense)]++
	var total time.Duration
	n := 0
	for k, d := range r.spent {
		total += d
		n += r.count[k]
	}
	var left time.Duration
	for _, o := range rest {
		if k := runs.Kind(o.Defense); r.count[k] > 0 {
			left += r.spent[k] / time.Duration(r.count[k])
		} else {
			left += total / time.Duration(n)
		}
	}
	left /= time.Duration(max(1, r.Jobs))
	line := fmt.Sprintf("%-32s %6s", c.Name(), took.Round(time.Second))
	if res := r.result(c); res != nil {
		if res.Verdict != nil {
			line += "  " + res.Verdict.Says.String()
		}
		if res.CA != nil {
			line += fmt.Sprintf("  CA %6s  ASR %6s", percent(res.CA), percent(res.ASR))
		}
	}
	if len(rest) > 0 {
		line += fmt.Sprintf("  %d left, %s", len(rest), left.Round(time.Second))
	}
	r.Say("%s", line)
}

func percent(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f", *v)
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
	if err := os.MkdirAll(filepath.Join(r.Folder, "cells"), 0o755); err != nil {
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
			r.Say("%s", line)
		}
	}
	if t := d.Test; t != nil && g.Test > 0 && t.Len() > g.Test {
		d.Test = t.Subset(rng.Shuffle(0, "experiment test", t.Len())[:g.Test])
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

// pretrained returns a network that was trained on other data, in the folder cells/pretrained.SEED.
func (r *Runner) pretrained(ctx context.Context, s runs.Spec) (model.State, error) {
	r.pre.Lock() // the first cell trains it, the others wait
	defer r.pre.Unlock()
	path := r.Grid.Pretrain
	if filepath.Ext(path) != ".safetensors" {
		s.Folder = filepath.Join(r.Folder, "cells", fmt.Sprintf("pretrained.%d", s.Options.Seed))
		path = filepath.Join(s.Folder, runs.ModelFile)
		if _, err := os.Stat(filepath.Join(s.Folder, runs.ResultFile)); err != nil {
			d, err := r.Grid.load(ctx, cmp.Or(r.Grid.Pretrain, rendered), 1)
			if err != nil {
				return nil, err
			}
			if d.Train.Height != r.data.Train.Height || d.Train.Width != r.data.Train.Width {
				return nil, fmt.Errorf("pretrain: images of %d×%d, the grid's are %d×%d", d.Train.Height, d.Train.Width, r.data.Train.Height, r.data.Train.Width)
			}
			s.Data, s.Attacks, s.Defense = d, nil, "none"
			s.Options.Flip = s.Options.Flip && dataset.Flips(d.Layout)
			err = r.once(ctx, s.Folder, func(ctx context.Context) error {
				_, err := runs.Train(ctx, s)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	_, state, _, err := checkpoint.Load(path)
	return state, err
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

// cell runs one cell, or goes on with it.
func (r *Runner) cell(ctx context.Context, c Cell) (err error) {
	defer dataset.Lost(&err)
	g := r.Grid
	data, err := r.varied(c.Vary, c.Seed)
	if err != nil {
		return err
	}
	o, err := g.options(c.Attack, c.Defense, c.Seed, data.Train.Len())
	if err != nil {
		return err
	}
	attacks, err := g.attack(c.Attack, c.Seed)
	if err != nil {
		return err
	}
	look, _, err := search(c.Defense)
	if err != nil {
		return err
	}
	if !dataset.Flips(r.data.Layout) {
		o.Flip = false
		for i := range attacks {
			if own := attacks[i].Surrogate(); own != nil {
				own.NoFlip = true
			}
		}
	}
	spec := runs.Spec{
		Command: fmt.Sprintf("unpoison experiment run %s --out %s --cell %s", filepath.Join(r.Folder, gridFile), r.Folder, c.Name()),
		Data:    data, Attacks: attacks, Cache: r.Cache, Options: o, Auto: look, Folder: r.folder(c), Origin: r.origin(), Backend: r.Backend, Resume: true,
		Watch: func(e train.Line) {
			if r.Watch != nil {
				r.Watch(c, e)
			}
		},
	}
	if !runs.Defense(c.Defense).Repairs() {
		spec.Defense = runs.Kind(c.Defense)
		out, err := runs.Train(ctx, spec)
		if err == nil && out.Train != data.Train {
			out.Train.Discard()
		}
		return err
	}
	rep := runs.RepairSpec{Spec: spec, Base: r.folder(c.needs()[0]), Share: g.Clean, Tune: repair.DefaultUnlearn()}
	if rep.Defense, rep.Repair, err = repairOptions(c.Defense, int(g.Clean*float64(data.Train.Len()))); err != nil {
		return err
	}
	rep.Repair.Seed, rep.Repair.Flip = c.Seed, o.Flip
	rep.Tune.Scratch = o.TuneEpochs
	if n := c.needs(); len(n) > 1 {
		rep.Suspects = r.folder(n[1])
	}
	if rep.Defense == runs.Unlearning("ft-pretrained") {
		if rep.Pretrained, err = r.pretrained(ctx, spec); err != nil {
			return err
		}
	}
	_, err = runs.RunRepair(ctx, rep)
	return err
}
