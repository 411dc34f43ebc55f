package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/report"
)

// plotFile names a plot of a grid where those of several grids lie together.
func (g *Grid) plotFile(name string) string { return g.Name + "-" + name + ".svg" }

// Results joins what the grids of a set have finished in one Markdown file, with the plots in a folder of its name
// beside it, and in index.html in folder. command gives the line that repeats a grid; rates, how often all verdicts
// together are right, come first if they are wanted.
func Results(folder, markdown, title string, all []*Runner, rates bool, command func(*Grid) string) error {
	p := &report.Page{Title: title}
	var verdicts []Verdict
	for _, r := range all {
		verdicts = append(verdicts, r.Verdicts()...)
	}
	if rates && len(verdicts) > 0 {
		p.Summary = []string{Rates(verdicts)}
	}
	head := "# " + title + "\n\n"
	for _, line := range p.Summary {
		head += line + "\n\n"
	}
	made := &document{path: markdown}
	for _, r := range all {
		p.Tables, p.Figures = append(p.Tables, r.Tables()...), append(p.Figures, r.figures()...)
		head += made.section(r, command(r.Grid)) + "\n"
	}
	if err := made.write([]byte(head)); err != nil {
		return err
	}
	return p.Write(filepath.Join(folder, "index.html"))
}

// document is a Markdown file that is being made, with plots in a folder of its name beside it.
type document struct {
	path  string
	plots map[string][]byte // by their place below the file's folder
}

// section has the tables of a grid, links to its plots, what was run, and the command that repeats it.
func (d *document) section(r *Runner, command string) string {
	var b strings.Builder
	for _, t := range r.Tables() {
		b.WriteString(Markdown(t) + "\n")
	}
	folder := strings.TrimSuffix(filepath.Base(d.path), filepath.Ext(d.path))
	for _, f := range r.drawn {
		name := folder + "/" + r.Grid.plotFile(f.name)
		if d.plots == nil {
			d.plots = map[string][]byte{}
		}
		d.plots[name] = []byte(f.SVG)
		fmt.Fprintf(&b, "![%s](%s)\n", f.Title, name)
	}
	if len(r.drawn) > 0 {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s\n    %s\n", r.made(), command)
	return b.String()
}

// write puts the file and its plots in their places.
func (d *document) write(text []byte) error {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o777); err != nil {
		return err
	}
	for name, svg := range d.plots {
		path := filepath.Join(filepath.Dir(d.path), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(path, svg); err != nil {
			return err
		}
	}
	return atomicfile.WriteBytes(d.path, text)
}

// made says with what the finished runs were made.
func (r *Runner) made() string {
	var with []string
	all, seeds := r.Grid.Cells(), r.seeds()
	for _, c := range all {
		if res := r.result(c); res != nil {
			with = append(with, fmt.Sprintf("%s, %s, unpoison %s", res.Model, res.Engine, res.Version))
		}
	}
	finished := len(with)
	if finished == 0 {
		return "No run is finished.\n"
	}
	slices.Sort(with)
	return fmt.Sprintf("%d of %d runs finished; seeds %s; %s.\n", finished, len(all), list(seeds), strings.Join(slices.Compact(with), "; "))
}

// seeds lists those of the finished runs.
func (r *Runner) seeds() (all []uint64) {
	for _, c := range r.Grid.Cells() {
		if r.result(c) != nil {
			all = append(all, c.Seed)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Saved returns the grid of this name that a folder holds, or that keep holds the results of, with what is finished
// of it and its plots, to be read only. What keep holds that the folder's grid trains otherwise is left out. If there is none, the error is os.ErrNotExist. What takes long to draw is left out once
// the context has ended.
func Saved(ctx context.Context, folder, name, keep string, b backends.Backend, cache string) (*Runner, error) {
	r := &Runner{Folder: filepath.Join(folder, name), Keep: keep, Backend: b, Cache: cache, ctx: ctx}
	if keep != "" {
		s, err := openStore(filepath.Join(keep, name+storeExt))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		r.store = s
	}
	var err error
	r.Grid, err = Read(filepath.Join(r.Folder, gridFile))
	if errors.Is(err, os.ErrNotExist) && r.store != nil && r.store.grid != nil {
		r.Grid, err = r.store.grid, nil
	}
	if err != nil {
		return nil, err
	}
	if s := r.store; s != nil && s.grid != nil {
		if r.Grid.goesOn(s.grid) {
			s.of(r.Grid)
		} else {
			r.store = nil // the folder's runs are of other data or settings
		}
	}
	return r, r.draw()
}

// Kept returns the grid in a file of results with what is kept of it, to be read only.
func Kept(path string) (*Runner, error) {
	s, err := openStore(path)
	if err != nil {
		return nil, err
	}
	if s.grid == nil {
		return nil, fmt.Errorf("%s has no grid", path)
	}
	r := &Runner{Folder: strings.TrimSuffix(path, storeExt), Grid: s.grid, store: s}
	return r, r.draw()
}
