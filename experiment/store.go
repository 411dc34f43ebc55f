package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/report"
)

// storeExt is what names of files of results end in.
const storeExt = ".jsonl"

// A store is a file of results: JSON Lines that are only ever added to, so that several programs may write to one.
// A line is the grid, or a cell of it. Of two lines about the same the later one counts.
type store struct {
	path string

	mu    sync.Mutex
	grid  *Grid
	cells map[string]*keptCell
}

// keptCell is what is kept of a run, as a line of a store.
type keptCell struct {
	Cell   string            `json:"cell"`
	Result *runs.Result      `json:"result"`
	Losses *losses           `json:"losses,omitempty"`
	Scores *report.Histogram `json:"scores,omitempty"` // isolation's, of clean and of poisoned images
}

// losses are the mean ones of each epoch.
type losses struct {
	Clean    []float64 `json:"clean"`
	Poisoned []float64 `json:"poisoned"`
}

// openStore reads a file of results. If there is none, the error is os.ErrNotExist.
func openStore(path string) (*store, error) {
	s := &store{path: path, cells: map[string]*keptCell{}}
	raw, err := atomicfile.ReadLines(path)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.EachJSON(path, raw, s.take); err != nil {
		return nil, err
	}
	return s, nil
}

// take reads a line.
func (s *store) take(line []byte) error {
	var l struct {
		Grid json.RawMessage `json:"grid"`
		keptCell
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	switch {
	case l.Grid != nil:
		g, err := decode(bytes.NewReader(l.Grid)) // JSON is YAML
		if err != nil {
			return err
		}
		s.of(g)
	case l.Cell != "" && l.Result != nil:
		s.cells[l.Cell] = &l.keptCell
	default:
		return errors.New(`expected a "grid", or a "cell" with its "result"`)
	}
	return nil
}

// of makes it the grid's. Cells that it trains in another way than the one before are forgotten.
func (s *store) of(g *Grid) {
	if old := s.grid; old != nil {
		for _, c := range append(old.Cells(), g.Cells()...) { // what an older grid still had, too
			if g.trainsOtherwise(old, c) {
				delete(s.cells, c.Name())
			}
		}
	}
	s.grid = g
}

// trainsOtherwise reports whether a cell, or one that it builds on, has another recipe than in the other grid.
func (g *Grid) trainsOtherwise(old *Grid, c Cell) bool {
	return slices.ContainsFunc(append(c.Needs(), c), func(c Cell) bool {
		return !slices.Equal(g.recipe(c.Attack, c.Defense), old.recipe(c.Attack, c.Defense))
	})
}

// append adds a line.
func (s *store) append(line any) error {
	raw, err := json.Marshal(line)
	if err != nil {
		return err
	}
	return atomicfile.AppendLine(s.path, raw)
}

// setGrid keeps the grid in front of its cells.
func (s *store) setGrid(g *Grid) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := yaml.Marshal(g)
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return err
	}
	if err := s.append(map[string]any{"grid": fields}); err != nil {
		return err
	}
	s.of(g)
	return nil
}

// cell returns what is kept of a cell, or nil.
func (s *store) cell(name string) *keptCell {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cells[name]
}

// add keeps a cell, unless the same is there.
func (s *store) add(c *keptCell) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.cells[c.Cell]; old != nil {
		a, err := json.Marshal(old)
		if err != nil {
			return err
		}
		b, err := json.Marshal(c)
		if err != nil || bytes.Equal(a, b) {
			return err
		}
	}
	if err := s.append(c); err != nil {
		return err
	}
	s.cells[c.Cell] = c
	return nil
}
