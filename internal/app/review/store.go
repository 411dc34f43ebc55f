// Package review lets people decide on the suspects of a run, in a browser on their own machine. Every decision is on disk
// before the page says so.
package review

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/limited"
)

// Folder lies in a run's folder and holds a file a reviewer, NAME.json.
const Folder = "reviews"

// mostFile bounds a run's result and a reviewer's decisions, in bytes.
const mostFile = 256 << 20

// What a reviewer can decide.
const (
	Keep = "keep"
	Drop = "drop"
	None = "" // takes a decision back
)

// Decision is what somebody made of an image, at a time.
type Decision struct {
	Index    int       `json:"index"` // in the training set
	Source   string    `json:"source"`
	Digest   string    `json:"digest,omitempty"`
	Decision string    `json:"decision"` // Keep, Drop or None
	At       time.Time `json:"at"`
}

// Decisions are one reviewer's, in the order in which they were made. The last one on an image holds.
type Decisions struct {
	Reviewer string     `json:"reviewer"`
	History  []Decision `json:"history"`
	Undone   []Decision `json:"undone,omitempty"` // taken back; they may stand in a list that was written before

	path string
	raw  []byte // of the file, as it was read or written last
}

// reviewers matches the names of reviewers, which make good file names.
var reviewers = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,62}$`)

// openDecisions reads what a reviewer of a run decided so far; nothing, if there is no file.
func openDecisions(run, reviewer string) (*Decisions, error) {
	if !reviewers.MatchString(reviewer) {
		return nil, fmt.Errorf("reviewer %q: expected a name of letters, digits, spaces, dots, dashes and underscores", reviewer)
	}
	d := &Decisions{Reviewer: reviewer, path: filepath.Join(run, Folder, reviewer+".json")}
	raw, err := limited.ReadFile(d.path, mostFile)
	if errors.Is(err, os.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	d.raw = raw
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, fmt.Errorf("%s: expected a reviewer's decisions: %w", d.path, err)
	}
	d.Reviewer = reviewer // a copy of another's file is this one's
	for k, x := range d.ever() {
		if x.Index < 0 || !slices.Contains([]string{Keep, Drop, None}, x.Decision) {
			return nil, fmt.Errorf("%s, decision %d: expected keep or drop on an image, found %q on %d", d.path, k+1, x.Decision, x.Index)
		}
	}
	return d, nil
}

// ever returns all decisions that were made, also those that were taken back.
func (d *Decisions) ever() []Decision { return slices.Concat(d.History, d.Undone) }

// others reads the decisions of a run's other reviewers, by name.
func others(run, but string) ([]*Decisions, error) {
	entries, err := os.ReadDir(filepath.Join(run, Folder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Decisions
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || name == but || !reviewers.MatchString(name) {
			continue
		}
		d, err := openDecisions(run, name)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// add notes a decision and stores all of them.
func (d *Decisions) add(x Decision) error {
	d.History = append(d.History, x)
	if err := d.store(); err != nil {
		d.History = d.History[:len(d.History)-1]
		return err
	}
	return nil
}

// undo takes the last decision back and returns it; nil if there is none.
func (d *Decisions) undo() (*Decision, error) {
	n := len(d.History)
	if n == 0 {
		return nil, nil
	}
	last := d.History[n-1]
	d.History, d.Undone = d.History[:n-1], append(d.Undone, last)
	if err := d.store(); err != nil {
		d.History, d.Undone = append(d.History, last), d.Undone[:len(d.Undone)-1]
		return nil, err
	}
	return &last, nil
}

// unchanged refuses a file that another review wrote meanwhile: one of the two would lose its decisions.
func (d *Decisions) unchanged() error {
	now, err := limited.ReadFile(d.path, mostFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !bytes.Equal(now, d.raw) {
		return fmt.Errorf("another review by %s changed %s: end both, and begin one", d.Reviewer, d.path)
	}
	return nil
}

func (d *Decisions) store() error {
	if err := d.unchanged(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o777); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	if err := atomicfile.WriteBytes(d.path, raw); err != nil {
		return err
	}
	d.raw = raw
	return nil
}

// now returns what holds of each image that was decided on.
func (d *Decisions) now() map[int]string {
	held := map[int]string{}
	for _, x := range d.History {
		if held[x.Index] = x.Decision; x.Decision == None {
			delete(held, x.Index)
		}
	}
	return held
}
