package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/report"
)

// Runs are large, and may be gone while what they found is still wanted. A folder of kept results holds, for each
// grid, GRID/grid.yaml and GRID/CELL.json, a run's result.json, and GRID-PLOT.svg, what was drawn from a run's other
// files. A kept cell is finished: it is run again only where a missing one builds on its network.

// kept is a file of the grid among the kept results.
func (r *Runner) kept(name string) string { return filepath.Join(r.Keep, r.Grid.Name, name) }

func (r *Runner) keptResult(c Cell) string { return r.kept(c.Name() + ".json") }

// plotFile names a plot of a grid where those of several grids lie together.
func (g *Grid) plotFile(name string) string { return g.Name + "-" + name + ".svg" }

// openKept checks that what is kept belongs to the grid, and keeps the grid too.
func (r *Runner) openKept() error {
	if r.Keep == "" {
		return nil
	}
	path := r.kept(gridFile)
	old, err := Read(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err == nil {
		if !r.Grid.extends(old) {
			return fmt.Errorf("%s is of a grid with other data or settings; choose another --keep", filepath.Dir(path))
		}
		have := old.Cells()
		if !slices.ContainsFunc(r.Grid.Cells(), func(c Cell) bool { return !slices.Contains(have, c) }) {
			return nil // the larger grid stays
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	raw, err := yaml.Marshal(r.Grid)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, raw)
}

// keep adds a finished cell's result to those kept. Its command repeats the cell from the grid kept beside it.
func (r *Runner) keep(c Cell) error {
	if r.Keep == "" {
		return nil
	}
	return r.keepFrom(filepath.Join(r.folder(c), runs.ResultFile), c)
}

// keepFrom adds the result in a file, as the cell's.
func (r *Runner) keepFrom(path string, c Cell) error {
	res, err := runs.ReadResult(path)
	if err != nil {
		return err
	}
	res.Command = fmt.Sprintf("unpoison experiment run %s --out DIR --cell %s", gridFile, c.Name())
	raw, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(r.keptResult(c), append(raw, '\n'))
}

// known reports whether a cell's result is there, with its run or without.
func (r *Runner) known(c Cell) bool {
	if r.Done(c) {
		return true
	}
	if r.Keep == "" {
		return false
	}
	_, err := os.Stat(r.keptResult(c))
	return err == nil
}

// missing lists, in their order, the cells whose results are not known, and those that they need the runs of.
func (r *Runner) missing(all []Cell) []Cell {
	wanted := map[Cell]bool{}
	for _, c := range all {
		if (r.Only != "" && c.Name() != r.Only) || r.known(c) {
			continue
		}
		wanted[c] = true
		for _, n := range c.needs() {
			wanted[n] = wanted[n] || !r.Done(n)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Cell) bool { return !wanted[c] })
}

// keepFigure adds a plot to those kept.
func (r *Runner) keepFigure(f drawn) error {
	if r.Keep == "" {
		return nil
	}
	return atomicfile.WriteBytes(filepath.Join(r.Keep, r.Grid.plotFile(f.name)), []byte(f.SVG))
}

// keptFigure returns a plot that was drawn from a run that is gone, if it was kept.
func (r *Runner) keptFigure(name, title, caption string) ([]drawn, error) {
	if r.Keep == "" {
		return nil, nil
	}
	svg, err := os.ReadFile(filepath.Join(r.Keep, r.Grid.plotFile(name)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return []drawn{{name, report.Figure{Title: title, Caption: caption, SVG: template.HTML(svg)}}}, err //nolint:gosec // our own plot
}
