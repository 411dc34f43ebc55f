package experiment

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/report"
)

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
	plots := strings.TrimSuffix(markdown, filepath.Ext(markdown))
	if err := os.MkdirAll(filepath.Dir(markdown), 0o755); err != nil {
		return err
	}
	err := atomicfile.Write(markdown, func(w io.Writer) error {
		head := "# " + title + "\n\n"
		for _, line := range p.Summary {
			head += line + "\n\n"
		}
		if _, err := io.WriteString(w, head); err != nil {
			return err
		}
		for _, r := range all {
			tables := r.Tables()
			for _, t := range tables {
				if err := Markdown(w, t); err != nil {
					return err
				}
				if _, err := io.WriteString(w, "\n"); err != nil {
					return err
				}
			}
			p.Tables, p.Figures = append(p.Tables, tables...), append(p.Figures, r.figures()...)
			text := ""
			for _, f := range r.drawn {
				name := r.Grid.plotFile(f.name)
				if err := os.MkdirAll(plots, 0o755); err != nil {
					return err
				}
				if err := atomicfile.WriteBytes(filepath.Join(plots, name), []byte(f.SVG)); err != nil {
					return err
				}
				text += fmt.Sprintf("![%s](%s)\n", f.Title, filepath.ToSlash(filepath.Join(filepath.Base(plots), name)))
			}
			if text != "" {
				text += "\n"
			}
			if _, err := fmt.Fprintf(w, "%s%s\n    %s\n\n", text, r.made(), command(r.Grid)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.Write(filepath.Join(folder, "index.html"))
}

// made says when and with what the finished runs were made.
func (r *Runner) made() string {
	var dates, with []string
	var seeds []uint64
	finished := 0
	all := r.Grid.Cells()
	for _, c := range all {
		if res := r.result(c); res != nil {
			finished++
			seeds = append(seeds, c.Seed)
			dates = append(dates, res.Date)
			with = append(with, fmt.Sprintf("%s, %s, unpoison %s", res.Model, res.Engine, res.Version))
		}
	}
	if finished == 0 {
		return "No run is finished.\n"
	}
	when := slices.Min(dates)
	if last := slices.Max(dates); last != when {
		when += " to " + last
	}
	slices.Sort(with)
	slices.Sort(seeds)
	return fmt.Sprintf("%d of %d runs finished, %s; seeds %s; %s.\n", finished, len(all), when, list(slices.Compact(seeds)), strings.Join(slices.Compact(with), "; "))
}

// Saved returns the grid of this name that a folder holds, or that keep holds the results of, with what is finished
// of it and its plots, to be read only. If there is none, the error is os.ErrNotExist.
func Saved(folder, name, keep string, b backends.Backend, cache string) (*Runner, error) {
	r := &Runner{Folder: filepath.Join(folder, name), Keep: keep, Backend: b, Cache: cache}
	var err error
	r.Grid, err = Read(filepath.Join(r.Folder, gridFile))
	if errors.Is(err, os.ErrNotExist) && keep != "" {
		r.Grid, err = Read(filepath.Join(keep, name, gridFile))
	}
	if err != nil {
		return nil, err
	}
	return r, r.draw()
}
