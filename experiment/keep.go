package experiment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/unpoison/unpoison/internal/app/runs"
)

// Runs are large, and may be gone while what they found is still wanted. A folder of kept results holds a file
// GRID.jsonl for each grid: the grid, and of each cell the run's result.json and what plots are drawn from; see store.
// A kept cell is finished: it is run again only where a missing one builds on its network.

// storePath is the file of results kept of the grid.
func (r *Runner) storePath() string { return filepath.Join(r.Keep, r.Grid.Name+storeExt) }

// openKept checks that what is kept belongs to the grid, and keeps the grid too.
func (r *Runner) openKept() error {
	if r.Keep == "" {
		return nil
	}
	s, err := openStore(r.storePath())
	if errors.Is(err, os.ErrNotExist) {
		s, err = &store{path: r.storePath(), cells: map[string]*keptCell{}}, nil
	}
	if err != nil {
		return err
	}
	r.store = s
	if s.grid != nil {
		if !r.Grid.goesOn(s.grid) {
			return fmt.Errorf("%s is of a grid with other data or settings; choose another --keep", s.path)
		}
		have := s.grid.Cells()
		if r.Grid.extends(s.grid) && !slices.ContainsFunc(r.Grid.Cells(), func(c Cell) bool { return !slices.Contains(have, c) }) {
			return nil // the larger grid stays
		}
	}
	return s.setGrid(r.Grid)
}

// goesOn reports whether kept results of another grid stand for cells of this one where their trainings agree.
func (g *Grid) goesOn(kept *Grid) bool {
	old := *kept
	old.Plain, old.PlainFor = g.Plain, g.PlainFor // what these change is run again
	return g.extends(&old)
}

// keep adds a finished cell's result to those kept, and the losses that its plot needs.
func (r *Runner) keep(c Cell) error {
	r.mu.Lock()
	delete(r.read, c) // it may be there of before it was run again
	r.mu.Unlock()
	if r.Keep == "" {
		return nil
	}
	res, err := runs.ReadFinished(r.folder(c))
	if err != nil {
		return err
	}
	k := &keptCell{Cell: c.Name(), Result: res}
	if slices.Contains(r.Grid.Plots, "curves") {
		l, err := epochLosses(filepath.Join(r.folder(c), runs.LogFile))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if l != nil && len(l.Clean) > 0 {
			k.Losses = l
		}
	}
	if old := r.store.cell(k.Cell); old != nil && old.Result.Date == res.Date {
		k.Scores = old.Scores // draw makes them
	}
	return r.keepAs(c, k)
}

// keepAs adds what is kept of some run, as the cell's. Its command repeats the cell from the grid, as Saved returns it.
func (r *Runner) keepAs(c Cell, k *keptCell) error {
	own, res := *k, *k.Result
	res.Command = fmt.Sprintf("unpoison experiment run %s --out DIR --cell %s", gridFile, c.Name())
	own.Cell, own.Result = c.Name(), &res
	return r.store.add(&own)
}

// known reports whether a cell's result is there, with its run or without.
func (r *Runner) known(c Cell) bool {
	kept := r.store.cell(c.Name())
	return r.Done(c) || kept != nil && !kept.Result.Earlier()
}

// missing lists, in their order, the cells whose results are not known, and those that they need the runs of.
func (r *Runner) missing(all []Cell) []Cell {
	wanted := map[Cell]bool{}
	for i, c := range all {
		if (r.Only != "" && c.Name() != r.Only) || !r.Shard.owns(i) || r.known(c) {
			continue
		}
		wanted[c] = true
		for _, n := range c.Needs() {
			wanted[n] = wanted[n] || !r.Done(n)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Cell) bool { return !wanted[c] })
}
