package experiment

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/names"
)

// training is all that a cell's training depends on: cells of several grids that agree in it are one run.
type training struct {
	Data              string
	Limit, Size, Test int
	Attacks           []attack.Config
	Defense           runs.Defense
	Options           abl.Options
	Auto              *audit.Options `json:",omitempty"`
}

// training returns what a cell depends on, as text; it is empty for cells that build on others and for
// those of varied data, which are not shared.
func (g *Grid) training(c Cell, images int) string {
	if c.Vary != "" || runs.Defense(c.Defense).Repairs() {
		return ""
	}
	t := training{Data: g.Data, Limit: g.Limit, Size: g.Size, Test: g.Test, Defense: runs.Kind(c.Defense)}
	var err error
	if t.Options, err = g.options(c.Attack, c.Defense, c.Seed, images); err != nil {
		return ""
	}
	if t.Attacks, err = g.attack(c.Attack, c.Seed); err != nil {
		return ""
	}
	if t.Defense == runs.Auto {
		look, _, err := search(c.Defense)
		if err != nil {
			return ""
		}
		t.Auto = &look
	}
	raw, err := json.Marshal(t)
	if err != nil {
		return ""
	}
	return string(raw)
}

// adopt copies what is missing from the grids in the folders beside this one's, where a finished cell is the
// same training: the paper's experiments have some twenty in common.
func (r *Runner) adopt() error {
	wanted := map[string]Cell{}
	for _, c := range r.Shard.Cells(r.Grid) {
		if key := r.Grid.training(c, r.data.Train.Len()); key != "" && (r.Only == "" || r.Only == c.Name()) {
			if _, err := os.Stat(r.folder(c)); os.IsNotExist(err) {
				wanted[key] = c
			}
		}
	}
	for _, folder := range names.Matching(filepath.Dir(filepath.Clean(r.Folder)), "*") {
		path := filepath.Join(folder, gridFile)
		g, err := Read(path)
		if err != nil || filepath.Dir(path) == filepath.Clean(r.Folder) {
			continue // not ours to judge
		}
		other := &Runner{Grid: g, Folder: filepath.Dir(path)}
		for _, theirs := range g.Cells() {
			key := g.training(theirs, r.data.Train.Len())
			ours, ok := wanted[key]
			if !ok || !other.Done(theirs) {
				continue
			}
			if res := other.result(theirs); res == nil || !r.ofThisData(ours, res) {
				continue // the files have changed since
			}
			if err := copyFolder(other.folder(theirs), r.folder(ours)); err != nil {
				return err
			}
			r.say("%-32s is %s", ours.Name(), other.folder(theirs))
			delete(wanted, key)
		}
	}
	return r.adoptKept(wanted)
}

// adoptKept takes what is still missing from the results kept of other grids.
func (r *Runner) adoptKept(wanted map[string]Cell) error {
	if r.Keep == "" {
		return nil
	}
	for _, path := range names.Matching(r.Keep, "*"+storeExt) {
		other, err := openStore(path)
		if err != nil || other.grid == nil || other.grid.Name == r.Grid.Name {
			continue // not ours to judge
		}
		for _, theirs := range other.grid.Cells() {
			ours, ok := wanted[other.grid.training(theirs, r.data.Train.Len())]
			kept := other.cell(theirs.Name())
			if !ok || kept == nil || kept.Result.Earlier() || r.known(ours) || !r.ofThisData(ours, kept.Result) {
				continue
			}
			if err := r.keepAs(ours, kept); err != nil {
				return err
			}
			r.say("%-32s is %s of %s", ours.Name(), theirs.Name(), path)
		}
	}
	return nil
}

// copyFolder makes a copy that appears whole or not at all. What a killed one left is removed by the next of its name.
func copyFolder(from, to string) error {
	return atomicfile.Folder(to, func(dir string) error { return os.CopyFS(dir, os.DirFS(from)) })
}
