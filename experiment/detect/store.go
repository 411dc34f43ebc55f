package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"sync"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// Score is what one detector made of one set, a line of the file of results.
type Score struct {
	Set      Set      `json:"set"`
	Detector string   `json:"detector"` // Ours for this program's audit
	Told     string   `json:"told"`     // what it was given beside data and network
	Network  string   `json:"network"`
	CA       *float64 `json:"ca,omitempty"` // of the network on clean test images that no detector was given, %; nil without any
	// ASR is the network's, %, where something is planted; the audit, which trains its own, has none.
	ASR     *float64 `json:"asr,omitempty"`
	Digest  string   `json:"digest"` // of the set
	Images  int      `json:"images"`
	Classes int      `json:"classes"`
	Planted int      `json:"planted"`
	Covered int      `json:"covered"`
	Rates
	Verdict string `json:"verdict"`         // "poisoned" where a detector flags anything; the audit's own words
	Right   *bool  `json:"right,omitempty"` // of the audit: whether it says the word, names a label of planted images, and no other
	Said    []Said `json:"said,omitempty"`  // by the looks of the audit
	// Of the audit, see audit.Verdict.
	Strength  float64 `json:"strength,omitempty"`
	Next      float64 `json:"next,omitempty"`
	Confirmed float64 `json:"confirmed,omitempty"`
	Seconds   float64 `json:"seconds"` // without the shared training, but for the audit, which trains its own
	Command   string  `json:"command,omitempty"`
	Date      string  `json:"date,omitempty"`
	Version   string  `json:"version"`
	Revision  int     `json:"revision,omitempty"` // of the search, if it is ours: audit.Revision; else the detector's
	// Holds is a later revision that says the same, as far as is known: the looks that changed were asked again, or a sample of such
	// sets, drawn by chance, was measured again and gave the same figures.
	Holds int `json:"holds,omitempty"`
	// Without is what a network does that was trained without the flagged images; nil where none was.
	Without *Without `json:"without,omitempty"`
}

// Said is what one look of the audit said of a label, and by how much.
type Said struct {
	By    look.Name `json:"by"`
	Label int       `json:"label"`
	Says  look.Says `json:"says"`
	Score float64   `json:"score"`
}

// earlier tells whether the score is of an earlier search of ours, of which it is not known that today's says the same.
func (v *Score) earlier() bool {
	return v.Detector == Ours && max(v.Revision, v.Holds) != audit.Revision
}

// Ours is the name under which the audit stands among the detectors.
const Ours = "unpoison"

// store is a file of results: JSON Lines that are only added to. Of two lines about the same the later one counts.
type store struct {
	path string

	mu   sync.Mutex
	all  map[[2]string]*Score // by set and detector
	made map[string]string    // the digest of a set as it was made last
}

// openStore reads a file of results; there may be none.
func openStore(path string) (*store, error) {
	s := &store{path: path, all: map[[2]string]*Score{}, made: map[string]string{}}
	raw, err := atomicfile.ReadLines(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if end := bytes.LastIndexByte(raw, '\n') + 1; end < len(raw) && !json.Valid(raw[end:]) { // one that lacks its end alone is whole
		raw = raw[:end]
		if err := os.Truncate(path, int64(end)); err != nil {
			return nil, err
		}
	}
	err = atomicfile.EachJSON(path, raw, func(line []byte) error {
		var v Score
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		if v.Set.Name == "" || v.Detector == "" || len(v.TPRAt) != len(falseRates) {
			return errors.New("expected a set's score by a detector")
		}
		if v.Detector == Ours {
			v.CA = nil // it measures none, and said 0
		}
		s.take(&v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// take remembers a score.
func (s *store) take(v *Score) {
	s.all[[2]string{v.Set.Name, v.Detector}], s.made[v.Set.Name] = v, v.Digest
}

// names lists the detectors that there are, and then others with scores, in the alphabet's order.
func (s *store) names() []string {
	names := Names()
	var more []string
	for key := range s.all {
		if !slices.Contains(names, key[1]) && !slices.Contains(more, key[1]) {
			more = append(more, key[1])
		}
	}
	slices.Sort(more)
	return append(names, more...)
}

// of returns a detector's score of a set; nil if there is none, or one of a set that was made otherwise, or of other images than the
// set's last score.
func (s *store) of(set Set, detector string) *Score {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.all[[2]string{set.Name, detector}]
	if v == nil || v.Digest != s.made[set.Name] {
		return nil
	}
	was := v.Set
	was.Role = set.Role // a role may change, and with it no score
	if was != set {
		return nil
	}
	return v
}

// add appends a score.
func (s *store) add(v *Score) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := atomicfile.AppendLine(s.path, raw); err != nil {
		return err
	}
	s.take(v)
	return nil
}
