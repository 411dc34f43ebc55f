package review

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/limited"
	"github.com/unpoison/unpoison/internal/base/names"
)

// Savable is an error where decisions on a run can't be stored: its folder, or that of its reviewers, can't be written to.
func Savable(run string) error {
	for _, dir := range []string{run, filepath.Join(run, Folder)} {
		if _, err := os.Stat(dir); dir != run && errors.Is(err, fs.ErrNotExist) {
			return nil // it is made with the first decision
		}
		probe, err := os.CreateTemp(dir, ".unpoison-*")
		if err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
		if err != nil {
			return fmt.Errorf("decisions can't be saved in %s: %w; make it writable, or review a copy of %s", dir, err, run)
		}
	}
	return nil
}

// choice is what was decided on an image.
type choice struct {
	index    int
	decision string
}

// note keeps what reviewers have decided, also where they decided otherwise later or took it back.
func (r *Review) note(all ...*Decisions) {
	for _, d := range all {
		for _, x := range d.ever() {
			r.stored[choice{x.Index, x.Decision}] = true
		}
	}
}

// End is Write for a review that ends without it. Where nobody has decided on anything, decisions that are there stay.
func (r *Review) End() (decided, disagreed int, err error) {
	r.mu.Lock()
	idle := len(r.stored) == 0
	r.mu.Unlock()
	if _, err := os.Lstat(filepath.Join(r.run, DecisionsFile)); err == nil && idle {
		return 0, 0, nil
	}
	return r.Write()
}

// Replaceable is an error where decisions are stored that no reviewer of the run has made, such as those that a report saved: Write does
// not replace them.
func (r *Review) Replaceable() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replaceable()
}

func (r *Review) replaceable() error {
	path := filepath.Join(r.run, DecisionsFile)
	raw, err := limited.ReadFile(path, mostFile)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	rows, head, err := runs.OpenList(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("%s is no list of decisions (%w): move it away, since a review writes one there", path, err)
	}
	at := map[[2]string]int{}
	for _, s := range r.suspects {
		at[[2]string{s.Source, s.Digest}] = s.Index
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		cell := func(name string) string {
			if k := slices.Index(head, name); k >= 0 {
				return row[k]
			}
			return ""
		}
		source := names.FromCell(cell("source"))
		index, ok := at[[2]string{source, cell("digest")}]
		if decision := strings.ToLower(cell("decision")); !ok || !r.stored[choice{index, decision}] {
			return fmt.Errorf("%s holds decisions that no reviewer here has made, such as %q on %s: move it away, since a review writes its own there", path, decision, source)
		}
	}
}
