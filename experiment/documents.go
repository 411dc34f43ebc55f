package experiment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/experiment/detect"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/report"
)

// A document says where a table belongs by two lines, between which it is made:
//
//	<!-- generated: NAME -->
//	<!-- end -->
//
// NAME is SET/FILE for what results/SET/FILE.jsonl holds, a grid or a table; SET for all grids of a folder; "gap
// SET/FILE" for what a grid's defended networks do otherwise than those trained before the attack; "measured" for what verdicts said
// of sets whose truth is known; "networks" for audits with other networks, from the folder detect; or "summary DATA: ATTACK…; DATA:
// ATTACK…" for what no defence and ABL leave, from the folder paper.
const (
	blockStart = "<!-- generated: "
	blockEnd   = "<!-- end -->"
)

// Fill makes the generated blocks of Markdown files again, from a folder of results. Paths are files, or folders with
// all that is below them.
func Fill(results string, paths ...string) error {
	return documents(paths, func(path string) error {
		d, text, err := fill(results, path)
		if err != nil {
			return err
		}
		return d.write(text)
	})
}

// documents calls do for each Markdown file.
func documents(paths []string, do func(path string) error) error {
	for _, p := range paths {
		some := false
		err := filepath.WalkDir(p, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".md" {
				return err
			}
			some = true
			return do(path)
		})
		if err == nil && !some {
			err = fmt.Errorf("%s is no Markdown file (*.md), nor a folder with any", p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fill returns a document with its blocks made again.
func fill(results, path string) (*document, []byte, error) {
	old, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	d := &document{path: path}
	var b strings.Builder
	inside, n := 0, 0
	for line := range strings.Lines(string(old)) {
		n++
		trimmed := strings.TrimSpace(line)
		name, starts := strings.CutPrefix(trimmed, blockStart)
		switch {
		case starts && inside > 0:
			return nil, nil, fmt.Errorf("%s:%d: the block that starts in line %d has no %q", path, n, inside, blockEnd)
		case starts:
			inside = n
			text, err := d.block(results, strings.TrimSpace(strings.TrimSuffix(name, "-->")))
			if err != nil {
				return nil, nil, fmt.Errorf("%s:%d: %w", path, n, err)
			}
			b.WriteString(line + text)
		case trimmed == blockEnd && inside > 0:
			inside = 0
			b.WriteString(line)
		case inside == 0:
			b.WriteString(line)
		}
	}
	if inside > 0 {
		return nil, nil, fmt.Errorf("%s: the block that starts in line %d has no %q", path, inside, blockEnd)
	}
	return d, []byte(b.String()), nil
}

// block makes what a name stands for.
func (d *document) block(results, name string) (string, error) {
	if spec, ok := strings.CutPrefix(name, "summary "); ok {
		return summary(results, spec)
	}
	if path, ok := strings.CutPrefix(name, "gap "); ok {
		r, err := Kept(filepath.Join(results, filepath.FromSlash(path)+storeExt))
		if err != nil {
			return "", err
		}
		t := r.gapTable()
		if t == nil {
			return "", fmt.Errorf("gap: %s has no defence %q", path, runs.Before)
		}
		t.Title, t.Note = "", "Seeds: "+list(r.seeds())+"."+r.earlier()
		return Markdown(*t), nil
	}
	if name == "measured" {
		return Markdown(measured(audit.MeasuredSets())), nil
	}
	if name == "networks" {
		t, err := detect.Networks(filepath.Join(results, "detect"))
		return Markdown(t), err
	}
	path := filepath.Join(results, filepath.FromSlash(name))
	if !strings.Contains(name, "/") {
		all, err := keptSet(path)
		if err != nil {
			return "", err
		}
		var b strings.Builder
		for _, r := range all {
			b.WriteString(d.section(r, r.Grid.setCommand(name)) + "\n")
		}
		return b.String(), nil
	}
	path += storeExt
	t, err := readTable(path)
	if err != nil {
		return "", err
	}
	if t != nil {
		link, err := filepath.Rel(filepath.Dir(d.path), path)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s\n[How each was measured](%s)\n", Markdown(*t), filepath.ToSlash(link)), nil
	}
	r, err := Kept(path)
	if err != nil {
		return "", err
	}
	set, _, _ := strings.Cut(name, "/")
	return d.section(r, r.Grid.setCommand(set)), nil
}

// keptSet reads the grids of a folder, in the order in which their experiments are listed.
func keptSet(folder string) ([]*Runner, error) {
	files := names.Matching(folder, "*"+storeExt)
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no results", folder)
	}
	var all []*Runner
	for _, path := range files {
		r, err := Kept(path)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	order := PaperNames()
	if strings.HasPrefix(filepath.Base(folder), "auto") {
		order = AutoNames()
	}
	slices.SortStableFunc(all, func(a, b *Runner) int {
		return slices.Index(order, a.Grid.Name) - slices.Index(order, b.Grid.Name)
	})
	return all, nil
}

// setCommand returns the command that repeats a grid of a set.
func (g *Grid) setCommand(set string) string {
	switch {
	case set == "verdict":
		return VerdictCommand(Data{CIFAR10: "cifar10:DIR", GTSRB: "gtsrb:DIR", Photos: "DIR"}, "", false, g.Seeds)
	case strings.HasPrefix(set, "auto"):
		return g.AutoCommand()
	}
	return g.PaperCommand()
}

// readTable reads a file of results that is no grid but a table: its columns, then a line a row with the figures by
// column and how they were measured. It is nil for a grid.
func readTable(path string) (*report.Table, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var t report.Table
	n := 0
	s := bufio.NewScanner(bytes.NewReader(raw))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		n++
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var l struct {
			Table *struct {
				Columns []string `json:"columns"`
			} `json:"table"`
			Figures map[string]string `json:"figures"`
			Command string            `json:"command"`
			Date    string            `json:"date"`
		}
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if t.Columns == nil {
			if l.Table == nil {
				return nil, nil
			}
			t.Columns = l.Table.Columns
			continue
		}
		if l.Command == "" || l.Date == "" || len(l.Figures) == 0 {
			return nil, fmt.Errorf(`%s:%d: expected "figures" with their "command" and "date"`, path, n)
		}
		var row []string
		for _, c := range t.Columns {
			row = append(row, l.Figures[c])
		}
		t.Rows = append(t.Rows, row)
	}
	return &t, s.Err()
}

// summary has a line for each attack: what no defence and ABL leave, and the paper's ABL.
func summary(results, spec string) (string, error) {
	t := report.Table{Columns: []string{"data", "planted", "no defence", "ABL", "the paper's ABL", "seeds"}}
	for _, part := range strings.Split(spec, ";") {
		data, attacks, ok := strings.Cut(part, ":")
		if !ok {
			return "", fmt.Errorf("summary: %q, expected DATA: ATTACK…", part)
		}
		data = strings.TrimSpace(data)
		paper, err := Kept(filepath.Join(results, "paper", data+storeExt))
		if err != nil {
			return "", err
		}
		for _, name := range strings.Fields(attacks) {
			i := slices.IndexFunc(paper.Grid.Attacks, func(a string) bool { n, _, _ := strings.Cut(a, ":"); return n == name })
			if i < 0 {
				return "", errors.New("summary: no attack " + name + " on " + data)
			}
			a := paper.Grid.Attacks[i]
			seeds := paper.both("", a, "none", "abl") // a row compares the same ones
			none, abl := paper.rowOf("", a, "none", seeds), paper.rowOf("", a, "abl", seeds)
			line := []string{data, a}
			for _, row := range []Row{none, abl, {Seeds: 1, ASR: abl.PaperASR, CA: abl.PaperCA}} {
				row.PaperCA = nil
				line = append(line, row.pair())
			}
			t.Rows = append(t.Rows, append(line, list(seeds)))
		}
	}
	return Markdown(t), nil
}
