package review

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/limited"
	"github.com/unpoison/unpoison/internal/base/names"
)

// Suspect is a row of a run's list, as the page shows it.
type Suspect struct {
	Index       int     `json:"index"`
	Source      string  `json:"source"`
	Digest      string  `json:"-"`
	Label       string  `json:"label"`
	Rank        int     `json:"rank"`
	Suspected   bool    `json:"suspected"` // taken for planted by the run
	Doubtful    bool    `json:"doubtful"`  // stands out where the run can't tell
	Rated       bool    `json:"rated"`     // has a probability of being planted; ABL's have none
	Probability float64 `json:"probability"`
	Look        string  `json:"look"` // which found something under its label; empty if none did

	row int // of the list
}

// besides are how many images that the run did not suspect are shown after those that it did, to compare.
const besides = 60

// readSuspects returns the images of a list that are suspected or stand out, and the first of the others, by their rank or, without one,
// in the list's order.
func readSuspects(path string) ([]Suspect, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found, others []Suspect
	err = runs.EachRow(path, f, runs.Columns("index", "source", "label"), func(row int, cell func(column string) (string, bool)) error {
		s, err := readSuspect(row, func(name string) string {
			text, _ := cell(name)
			return text
		})
		if err != nil {
			return err
		}
		if s.Suspected || s.Doubtful {
			found = append(found, s)
		} else if others = append(others, s); len(others) >= 100*besides { // a list may have millions
			others = first(others)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(found, first(others))
	slices.SortStableFunc(all, byRank)
	return all, nil
}

func byRank(a, b Suspect) int { return cmp.Compare(a.Rank, b.Rank) }

// first returns those with the lowest ranks, so many as are shown.
func first(others []Suspect) []Suspect {
	slices.SortStableFunc(others, byRank)
	return others[:min(besides, len(others))]
}

// readSuspect reads a row. A cell is empty where there is no such column.
func readSuspect(row int, cell func(name string) string) (s Suspect, err error) {
	s = Suspect{Source: names.FromCell(cell("source")), Digest: cell("digest"), Label: names.FromCell(cell("label")), Rank: row, Suspected: true, row: row}
	for column, flag := range map[string]*bool{"isolated": &s.Suspected, "doubtful": &s.Doubtful} {
		if text := cell(column); text != "" {
			if *flag, err = runs.ReadFlag(column, text); err != nil {
				return s, err
			}
		}
	}
	if s.Index, err = strconv.Atoi(cell("index")); err != nil || s.Index < 0 {
		return s, fmt.Errorf("expected the number of an image, found %q", cell("index"))
	}
	if text := cell("rank"); text != "" {
		if s.Rank, err = strconv.Atoi(text); err != nil {
			return s, fmt.Errorf("rank: expected a number, found %q", text)
		}
	}
	if p, err := strconv.ParseFloat(cell("probability"), 64); err == nil && !math.IsNaN(p) && !math.IsInf(p, 0) {
		s.Rated, s.Probability = true, p
	}
	return s, nil
}

// finding is what a run says of a label.
type finding struct {
	Label string `json:"class"`
	Says  string `json:"says"`
	Look  string `json:"by"`
}

// summary is what the page's head needs of a run's result.
type summary struct {
	Seed    uint64        `json:"seed"`
	Data    runs.DataInfo `json:"data"`
	Attacks []struct {
		Name string `json:"name"`
	} `json:"attacks"`
	Verdict *struct {
		Says    string    `json:"says"`
		Removed int       `json:"removed"`
		Targets []finding `json:"targets"`
	} `json:"verdict"`

	full *audit.Verdict // the same, whole; nil if another version wrote it in another way
}

// readSummary reads a run's result.json.
func readSummary(run string) (*summary, error) {
	if st, err := os.Stat(run); err == nil && !st.IsDir() {
		return nil, fmt.Errorf("%s is a file: name the folder of the run, which is %s if the file is the run's", run, filepath.Dir(run))
	}
	path := filepath.Join(run, "result.json")
	raw, err := limited.ReadFile(path, mostFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no finished audit or training: it has no result.json;\nname the folder that was --out there", run)
	}
	if err != nil {
		return nil, err
	}
	var s summary
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var whole struct{ Verdict *audit.Verdict }
	if json.Unmarshal(raw, &whole) == nil {
		s.full = whole.Verdict
	}
	return &s, nil
}

// tells tells whether a finding is one that the verdict speaks of: one of suspects where there are any.
func (s *summary) tells(t finding) bool {
	found := func(says string) bool { return says == look.Poisoned.String() || says == look.Shortcut.String() }
	return t.Says == s.Verdict.Says || found(t.Says) && found(s.Verdict.Says)
}

// looks returns the look that found something under each label.
func (s *summary) looks() map[string]string {
	by := map[string]string{}
	if s.Verdict == nil {
		return by
	}
	for _, t := range s.Verdict.Targets {
		if s.tells(t) && by[t.Label] == "" {
			by[t.Label] = t.Look
		}
	}
	return by
}
