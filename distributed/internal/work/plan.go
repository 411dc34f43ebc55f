// Package work does a grid's cells on many machines: a workflow hands them out, workers run them as activities. Between
// machines go keys and cells' names only; grids, data, checkpoints and results lie in a store.
package work

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/base/version"
)

// Plan is what workers have to know of a grid. It is an object of the store.
type Plan struct {
	Version string    `json:"version"` // of the program that made it; workers are of the same
	Grid    string    `json:"grid"`    // the file
	Data    store.Key `json:"data,omitempty"`
	Layout  string    `json:"layout,omitempty"` // of the data; empty: recognised
	File    string    `json:"file,omitempty"`   // below Data, where the data are one file
}

// rendered is the data that need no files.
const rendered = "signs"

// NewPlan keeps a grid and its data in the store and returns the plan's key. The same grid and data have the same key.
func NewPlan(ctx context.Context, s *store.Store, path string) (store.Key, error) {
	g, err := experiment.Read(path)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	p := Plan{Version: version.String(), Grid: string(text)}
	if err := p.check(g); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if g.Data != rendered {
		if err := p.putData(ctx, s, g.Data); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return s.Put(ctx, raw)
}

// check refuses grids that name files of the machine that runs them: a plan must not make a worker read any.
func (p *Plan) check(g *experiment.Grid) error {
	if g.Pretrain != "" && g.Pretrain != rendered {
		return fmt.Errorf("pretrain: %s: on many machines a network can be pretrained on %s only", g.Pretrain, rendered)
	}
	for _, a := range g.Attacks {
		for _, one := range strings.Split(a, "+") {
			if one == "none" {
				continue
			}
			c, err := attack.Parse(one)
			if err != nil {
				return err
			}
			if file := c.File(); file != "" {
				return fmt.Errorf("attack %s: %s is a file of one machine; on many machines attacks can't have files", a, file)
			}
		}
	}
	return nil
}

// putData keeps the data at DIR or layout:DIR, a folder or a file.
func (p *Plan) putData(ctx context.Context, s *store.Store, spec string) error {
	path := spec
	info, err := os.Stat(path)
	if err != nil {
		if layout, rest, ok := strings.Cut(spec, ":"); ok {
			p.Layout, path = layout, rest
			info, err = os.Stat(path)
		}
	}
	if err != nil {
		return fmt.Errorf("data %s: %w", spec, err)
	}
	if info.IsDir() {
		p.Data, err = s.PutFolder(ctx, path)
		return err
	}
	p.File = filepath.Base(path)
	p.Data, err = s.PutFile(ctx, path)
	return err
}

// ReadPlan returns a plan with its grid. The grid's data still are where they were on the machine that planned.
func ReadPlan(ctx context.Context, s *store.Store, k store.Key) (*Plan, *experiment.Grid, error) {
	raw, err := s.Get(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	p := &Plan{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, nil, &wrongError{fmt.Errorf("%s is no plan: %w", k, err)}
	}
	g, err := p.grid()
	if err == nil {
		err = p.check(g)
	}
	if err == nil && p.File != filepath.Base(p.File) && p.File != "" {
		err = fmt.Errorf("the file name %q leaves the data's folder", p.File)
	}
	if err == nil && p.Layout != "" && strings.ContainsAny(p.Layout, `/\.:`) {
		err = fmt.Errorf("no layout %q", p.Layout)
	}
	if err == nil && p.Data == "" && g.Data != rendered {
		err = fmt.Errorf("data %s are not in the store", g.Data)
	}
	if err != nil {
		return nil, nil, &wrongError{fmt.Errorf("plan %s: %w", k, err)}
	}
	return p, g, nil
}

// grid reads the plan's grid, through a file as all grids.
func (p *Plan) grid() (*experiment.Grid, error) {
	f, err := os.CreateTemp("", "unpoison-*.yaml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(p.Grid)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	return experiment.Read(f.Name())
}

// identity is all that a cell's run depends on, as 64 hexadecimal digits: cells of several grids that agree in it are one.
func (p *Plan) identity(g *experiment.Grid, c experiment.Cell) (string, error) {
	own := *g
	own.Name, own.Title, own.Data, own.Vary, own.Attacks, own.Defenses, own.Seeds, own.SeedsFor, own.Plots, own.Quick = "", "", "", nil, nil, nil, nil, nil, nil, false
	raw, err := json.Marshal(struct {
		Version      string
		Data         store.Key
		Layout, File string
		Grid         experiment.Grid
		Cell         experiment.Cell
	}{p.Version, p.Data, p.Layout, p.File, own, c})
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:]), nil
}

// cellNamed returns the grid's cell of a name.
func cellNamed(g *experiment.Grid, name string) (experiment.Cell, error) {
	all := g.Cells()
	i := slices.IndexFunc(all, func(c experiment.Cell) bool { return c.Name() == name })
	if i < 0 {
		return experiment.Cell{}, &wrongError{fmt.Errorf("the grid has no cell %.200q", name)}
	}
	return all[i], nil
}

// Result returns the key of a finished cell's folder, or store.ErrNone.
func (p *Plan) Result(ctx context.Context, s *store.Store, g *experiment.Grid, c experiment.Cell) (store.Key, error) {
	id, err := p.identity(g, c)
	if err != nil {
		return "", err
	}
	return s.Find(ctx, "cells/"+id)
}

// wrongError is one that trying again does not mend.
type wrongError struct{ err error }

func (e *wrongError) Error() string { return e.err.Error() }
func (e *wrongError) Unwrap() error { return e.err }
