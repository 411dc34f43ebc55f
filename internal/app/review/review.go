package review

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/names"
)

// Review is one reviewer's work on a run. Its methods may be called from several goroutines.
type Review struct {
	Program string // how commands call the program; unpoison if empty
	Spec    string // the data in commands, as --data takes it; the run's if empty
	// ReadWith are the flags that the data are read with in commands.
	ReadWith []string

	run      string
	data     *dataset.Set
	summary  *summary
	suspects []Suspect
	at       map[int]int // a suspect's place, by its index

	mu     sync.Mutex
	mine   *Decisions
	stored map[choice]bool // by anybody, since ever
}

// Open prepares a review of the run's folder over the training images that it was made from, at their own size.
func Open(run string, data *dataset.Set, reviewer string) (*Review, error) {
	r := &Review{run: run, data: data, at: map[int]int{}, stored: map[choice]bool{}}
	var err error
	if r.summary, err = readSummary(run); err != nil {
		return nil, err
	}
	if a := r.summary.Attacks; len(a) > 0 {
		return nil, fmt.Errorf("%s planted %s itself, so that the data do not show what it saw; write them with unpoison attack, and audit these", run, a[0].Name)
	}
	list := filepath.Join(run, "suspects.csv")
	if r.suspects, err = readSuspects(list); err != nil {
		return nil, err
	}
	looks := r.summary.looks()
	for k := range r.suspects {
		s := &r.suspects[k]
		if s.Index >= data.Len() {
			return nil, fmt.Errorf("%s, row %d is image %d, but the data have %d: were they changed, or read with a --limit?", list, s.row, s.Index, data.Len())
		}
		if source := data.Source(s.Index); source != s.Source {
			return nil, fmt.Errorf("%s, row %d: image %d is %s there, and %s in the data: were the data changed since?", list, s.row, s.Index, s.Source, source)
		}
		if digest := data.ImageDigest(s.Index).String(); s.Digest != "" && digest != s.Digest {
			return nil, fmt.Errorf("%s, row %d: %s is another image there than in the data: were the data changed since?", list, s.row, s.Source)
		}
		if s.Suspected || s.Doubtful {
			s.Look = looks[s.Label]
		}
		r.at[s.Index] = k
	}
	if r.mine, err = openDecisions(run, reviewer); err != nil {
		return nil, err
	}
	others, _ := r.others() // what is wrong with them is said when they count
	r.note(append(others, r.mine)...)
	return r, r.fits(r.mine)
}

// fits refuses decisions that were made on other images, as of another run.
func (r *Review) fits(d *Decisions) error {
	for n, x := range d.ever() {
		k, ok := r.at[x.Index]
		switch {
		case x.Source == "": // written by hand
		case !ok:
			return fmt.Errorf("%s, decision %d is on image %d, %s, which the run's list does not show: is it of another run?", d.path, n+1, x.Index, x.Source)
		case asKept(x.Source) != asKept(r.suspects[k].Source) || x.Digest != "" && r.suspects[k].Digest != "" && x.Digest != r.suspects[k].Digest:
			return fmt.Errorf("%s, decision %d is on %s, and image %d is %s: is it of another run?", d.path, n+1, x.Source, x.Index, r.suspects[k].Source)
		}
	}
	return nil
}

// asKept is a name as JSON keeps it, which has no bytes that are no text.
func asKept(name string) (text string) {
	if raw, err := json.Marshal(name); err == nil {
		_ = json.Unmarshal(raw, &text) // it was made right here
	}
	return text
}

// others reads the decisions of the run's other reviewers.
func (r *Review) others() ([]*Decisions, error) {
	all, err := others(r.run, r.mine.Reviewer)
	for _, d := range all {
		err = errors.Join(err, r.fits(d))
	}
	return all, err
}

// Source is what a run was made from.
type Source struct {
	Spec     string   // as --data takes it
	ReadWith []string // the flags that it was read with
	Seed     uint64   // of the shuffle that a --limit takes images of
}

// DataOf returns the data that a run was made from.
func DataOf(run string) (Source, error) {
	s, err := readSummary(run)
	if err != nil {
		return Source{}, err
	}
	return Source{s.Data.Spec(), s.Data.ReadWith, s.Seed}, nil
}

// Decide stores a decision on an image.
func (r *Review) Decide(index int, decision string) error {
	k, ok := r.at[index]
	if !ok {
		return fmt.Errorf("image %d is not among the suspects", index)
	}
	if !slices.Contains([]string{Keep, Drop, None}, decision) {
		return fmt.Errorf("decision %q, expected keep or drop", decision)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.suspects[k]
	err := r.mine.add(Decision{Index: index, Source: s.Source, Digest: s.Digest, Decision: decision, At: time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		r.stored[choice{index, decision}] = true
	}
	return err
}

// Undo takes the reviewer's last decision back. It returns the image, and what holds of it now; −1 where nothing was decided.
func (r *Review) Undo() (index int, decision string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, err := r.mine.undo()
	if err != nil || last == nil {
		return -1, None, err
	}
	return last.Index, r.mine.now()[last.Index], nil
}

// Opinion is another reviewer's decision on an image.
type Opinion struct {
	Reviewer string `json:"reviewer"`
	Decision string `json:"decision"`
}

// State is all that the page shows, but for the pictures.
type State struct {
	Reviewer string            `json:"reviewer"`
	Says     string            `json:"says"`
	Images   int               `json:"images"`  // of the training set
	Removed  int               `json:"removed"` // that the run suspects
	Labels   []string          `json:"labels"`  // where something was found
	Suspects []Suspect         `json:"suspects"`
	Mine     map[int]string    `json:"mine"`
	Others   map[int][]Opinion `json:"others"`
	Command  string            `json:"command"` // that filters by what was decided
}

// State returns what there is to show. Other reviewers' files are read anew.
func (r *Review) State() (*State, error) {
	all, err := r.others()
	if err != nil {
		return nil, err
	}
	s := &State{Reviewer: r.mine.Reviewer, Images: r.data.Len(), Suspects: r.suspects, Others: map[int][]Opinion{}, Command: r.Command()}
	if v := r.summary.Verdict; v != nil {
		s.Says, s.Removed = v.Says, v.Removed
		for _, t := range v.Targets {
			if r.summary.tells(t) && !slices.Contains(s.Labels, t.Label) {
				s.Labels = append(s.Labels, t.Label)
			}
		}
	} else { // ABL's runs have none, and set aside what they isolated
		for _, x := range r.suspects {
			if x.Suspected {
				s.Removed++
			}
		}
	}
	for _, d := range all {
		for i, decision := range d.now() {
			s.Others[i] = append(s.Others[i], Opinion{d.Reviewer, decision})
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Mine = r.mine.now()
	return s, nil
}

// DecisionsFile is what Write leaves in the run's folder.
const DecisionsFile = "decisions.csv"

// Command returns the command line that filters the data by the decisions that Write stores.
func (r *Review) Command() string {
	spec := r.Spec
	if spec == "" {
		spec = r.summary.Data.Spec()
	}
	return fmt.Sprintf("%s data filter --data %s --suspects %s --decisions %s --out clean",
		cmp.Or(r.Program, "unpoison"), findings.Words(append([]string{spec}, r.ReadWith...)), findings.Quote(filepath.Join(r.run, "suspects.csv")), findings.Quote(filepath.Join(r.run, DecisionsFile)))
}

// Write stores the decisions that hold as the CSV which data filter takes: the reviewer's own, and, on images that they left
// open, those that all others who looked agree on. It returns how many there are, and on how many images reviewers disagree.
func (r *Review) Write() (decided, disagreed int, err error) {
	all, err := r.others()
	if err != nil {
		return 0, 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(all...)
	if err := cmp.Or(r.mine.unchanged(), r.replaceable()); err != nil {
		return 0, 0, err
	}
	mine := r.mine.now()
	theirs := make([]map[int]string, len(all))
	for k, d := range all {
		theirs[k] = d.now()
	}
	path := filepath.Join(r.run, DecisionsFile)
	err = atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		if err := c.Write([]string{"index", "source", "digest", "decision"}); err != nil {
			return err
		}
		for _, s := range r.suspects {
			decision, split := settle(mine[s.Index], s.Index, theirs)
			if split {
				disagreed++
			}
			if decision == None {
				continue
			}
			decided++
			if err := c.Write([]string{strconv.Itoa(s.Index), names.Cell(s.Source), s.Digest, decision}); err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	})
	return decided, disagreed, err
}

// settle returns what holds of an image, and whether reviewers disagree on it.
func settle(mine string, index int, theirs []map[int]string) (decision string, split bool) {
	decision = mine
	for _, t := range theirs {
		d := t[index]
		if d == None {
			continue
		}
		if decision == None {
			decision = d
		}
		split = split || d != decision
	}
	if mine == None && split {
		return None, true
	}
	return decision, split
}

// DefaultReviewer is the name under which decisions are stored where none is given: who sits at this machine, or "reviewer".
func DefaultReviewer() string {
	for _, v := range []string{"USER", "USERNAME", "LOGNAME"} {
		if n := os.Getenv(v); reviewers.MatchString(n) {
			return n
		}
	}
	return "reviewer"
}
