package experiment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/rng"
)

// Shard is a part of a grid's cells, for one of several machines: the Number-th of Of, from 1. The zero value is all
// of them. Cells are dealt in rounds of one each, and the order of the shares is drawn anew for every round, so that a
// grid whose every third cell is long gives long cells to all shares. Which share a cell belongs to depends on its
// place in Grid.Cells and on Of, so cells that are added behind the others move none.
type Shard struct{ Number, Of int }

// mostShards is more than any cluster has machines for one grid.
const mostShards = 10000

// ParseShard reads a shard as "2/8", the second of eight.
func ParseShard(text string) (Shard, error) {
	var s Shard
	if n, err := fmt.Sscanf(text, "%d/%d", &s.Number, &s.Of); n != 2 || err != nil || s.String() != text {
		return Shard{}, fmt.Errorf("shard %q, expected a number and how many there are, 2/8 for example", text)
	}
	if s.Of < 1 || s.Of > mostShards {
		return Shard{}, fmt.Errorf("shard %q, expected 1 to %d shares", text, mostShards)
	}
	if s.Number < 1 || s.Number > s.Of {
		return Shard{}, fmt.Errorf("shard %q, expected a number from 1 to %d", text, s.Of)
	}
	return s, nil
}

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Number, s.Of) }

// owns reports whether the cell at a place in Grid.Cells belongs to the shard.
func (s Shard) owns(place int) bool {
	if s.Of == 0 {
		return true
	}
	round := place / s.Of
	return rng.Shuffle(0, "experiment shards", s.Of, round)[place%s.Of] == s.Number-1
}

// Cells lists the shard's cells of a grid, in the grid's order.
func (s Shard) Cells(g *Grid) []Cell {
	var own []Cell
	for i, c := range g.Cells() {
		if s.owns(i) {
			own = append(own, c)
		}
	}
	return own
}

// arrange puts cells that need nothing of other shards first: while they are computed, the others get theirs done.
func (r *Runner) arrange(cells []Cell) []Cell {
	if r.Shard.Of == 0 {
		return cells
	}
	own := r.Shard.Cells(r.Grid)
	foreign := func(c Cell) bool { return !slices.Contains(own, c) }
	later := func(c Cell) int { return stat.Bit(foreign(c) || slices.ContainsFunc(c.Needs(), foreign)) }
	sorted := slices.Clone(cells)
	slices.SortStableFunc(sorted, func(a, b Cell) int { return later(a) - later(b) })
	return sorted
}

// Join copies the finished cells of one grid from several folders to the runner's, which may have some already. The
// grid is the folders' largest. Folders of different grids are an error, and so are cells of different data and two results
// of one cell that say different things. It reports how many of the grid's cells are there then.
func (r *Runner) Join(folders []string) (finished, all int, err error) {
	var grids []*Grid
	for _, f := range folders {
		g, err := Read(filepath.Join(f, gridFile))
		if err != nil {
			return 0, 0, err
		}
		grids = append(grids, g)
		if r.Grid == nil || len(g.Cells()) > len(r.Grid.Cells()) {
			r.Grid = g
		}
	}
	have := map[Cell]bool{}
	for _, c := range r.Grid.Cells() {
		have[c] = true
	}
	for i, g := range grids {
		if g.Name != r.Grid.Name || !r.Grid.extends(g) {
			return 0, 0, fmt.Errorf("%s holds the results of a grid with another name, other data or settings than %s", folders[i], folders[0])
		}
		for _, c := range g.Cells() {
			if !have[c] {
				return 0, 0, fmt.Errorf("%s has the cell %s, which the larger grid lacks; join folders of one grid, or of one that grew", folders[i], c.Name())
			}
		}
	}
	if err := r.ofOneData(folders); err != nil {
		return 0, 0, err
	}
	if err := r.openFolder(); err != nil {
		return 0, 0, err
	}
	for _, f := range folders {
		if err := r.take(f); err != nil {
			return 0, 0, err
		}
	}
	for _, c := range r.Grid.Cells() {
		if r.Done(c) {
			finished++
		}
	}
	return finished, len(r.Grid.Cells()), nil
}

// ofOneData refuses folders whose cells, or the runner's own, were run on different data. All cells of a grid read the
// same, whatever variation they make of it.
func (r *Runner) ofOneData(folders []string) error {
	origin, path := "", "" // of the first cell that says it; version 0.1 did not
	for _, f := range append([]string{r.Folder}, folders...) {
		other := &Runner{Grid: r.Grid, Folder: f}
		for _, c := range r.Grid.Cells() {
			if !other.has(c) {
				continue
			}
			res, err := runs.ReadResult(filepath.Join(other.folder(c), runs.ResultFile))
			if err != nil {
				return err
			}
			switch from := res.Data.Origin; {
			case from == "":
			case origin == "":
				origin, path = from, other.folder(c)
			case from != origin:
				return fmt.Errorf("%s and %s are of different data, though both grids read %s; join folders of the same images", path, other.folder(c), r.Grid.Data)
			}
		}
	}
	return nil
}

// take copies what another folder of the same grid has finished.
func (r *Runner) take(folder string) error {
	other := &Runner{Grid: r.Grid, Folder: folder, Say: r.Say}
	other.sayUnfinished(r.Grid.Cells())
	for _, c := range r.Grid.Cells() {
		if !other.has(c) || !other.Done(c) && r.has(c) {
			continue
		}
		if !r.Done(c) {
			err := replaceFolder(other.folder(c), r.folder(c))
			if errors.Is(err, atomicfile.ErrLocked) {
				r.say("%-32s is left as it is: %v", c.Name(), err)
			} else if err != nil {
				return err
			}
			continue
		}
		same, err := agree(other.folder(c), r.folder(c))
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("cell %s: %s and %s differ, so they are of other data, or of other versions or engines; remove one of the two", c.Name(), other.folder(c), r.folder(c))
		}
	}
	return nil
}

// replaceFolder puts a copy of a finished run in the place of one that was begun. One that is being made is left alone: the error is
// atomicfile.ErrLocked.
func replaceFolder(from, to string) error {
	unlock, err := atomicfile.Lock(to)
	switch {
	case err == nil:
		err = os.RemoveAll(to)
		unlock()
	case errors.Is(err, os.ErrNotExist):
		err = nil
	}
	if err != nil {
		return err
	}
	return copyFolder(from, to)
}

// agree reports whether two runs of a cell found the same.
func agree(a, b string) (bool, error) {
	var text [2][]byte
	for i, folder := range []string{a, b} {
		res, err := runs.ReadResult(filepath.Join(folder, runs.ResultFile))
		if err != nil {
			return false, err
		}
		if text[i], err = res.Content(); err != nil {
			return false, err
		}
	}
	if string(text[0]) != string(text[1]) {
		return false, nil
	}
	return sameFile(filepath.Join(a, runs.ModelFile), filepath.Join(b, runs.ModelFile))
}

// sameFile reports whether two files hold the same, or neither is there.
func sameFile(a, b string) (bool, error) {
	x, errX := os.ReadFile(a)
	y, errY := os.ReadFile(b)
	if errors.Is(errX, os.ErrNotExist) && errors.Is(errY, os.ErrNotExist) {
		return true, nil
	}
	if err := errors.Join(errX, errY); err != nil {
		return false, err
	}
	return string(x) == string(y), nil
}
