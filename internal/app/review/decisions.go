package review

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	at := map[[2]string]int{}
	for _, s := range r.suspects {
		at[[2]string{s.Source, s.Digest}] = s.Index
	}
	err = runs.EachRow(path, bytes.NewReader(raw), runs.Columns(), func(_ int, cell func(column string) (string, bool)) error {
		source, _ := cell("source")
		digest, _ := cell("digest")
		decision, _ := cell("decision")
		source, decision = names.FromCell(source), strings.ToLower(decision)
		if index, ok := at[[2]string{source, digest}]; !ok || !r.stored[choice{index, decision}] {
			return fmt.Errorf("no reviewer here has decided %q on %s", decision, source)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: move it away, since a review writes its own decisions there", err)
	}
	return nil
}
