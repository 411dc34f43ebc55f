package runs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/report"
	"github.com/unpoison/unpoison/rng"
)

// NewSuspectsFile lists the suspects that a baseline did not have.
const NewSuspectsFile = "new-suspects.csv"

// Baseline is what an earlier audit said of each image. Images are told by their content and label: their order and names
// may have changed since.
type Baseline struct {
	images, suspects, doubtful map[labelled]int // how often each was there, was suspected, and was suspected or stood out
}

type labelled struct{ digest, label string }

// Comparison says what an audit found beyond its baseline.
type Comparison struct {
	Added      int `json:"added_images"`    // that the baseline did not have
	Gone       int `json:"removed_images"`  // of the baseline's
	Known      int `json:"known_suspects"`  // which it suspected, too
	NewOfOld   int `json:"new_among_old"`   // suspects among the images that it had, and did not suspect
	NewOfAdded int `json:"new_among_added"` // and among those that it did not have
	NewInDoubt int `json:"new_doubtful"`    // images that stand out where the evidence can't tell, and that neither stood out nor were suspected
	rows       []newSuspect
}

// New returns how many suspects the baseline did not have.
func (c *Comparison) New() int { return c.NewOfOld + c.NewOfAdded }

// sentence says how many suspects are new.
func (c *Comparison) sentence() string {
	if c.New() == 0 {
		text, it := "Nothing is suspected.", "the baseline"
		if c.Known > 0 {
			text, it = fmt.Sprintf("The baseline had all these suspects (%s).", report.Count(c.Known)), "it"
		}
		if c.NewInDoubt > 0 {
			text += fmt.Sprintf(" More images stand out than %s had: %s.", it, report.Count(c.NewInDoubt))
		}
		return text
	}
	return fmt.Sprintf("Suspects that the baseline did not have come first below: %s among its images, %s among the %s that were added since. %s were known. %s lists the new ones.",
		report.Count(c.NewOfOld), report.Count(c.NewOfAdded), report.Count(c.Added), report.Count(c.Known), NewSuspectsFile)
}

// newsFirst returns the places of suspects in their list, of the new ones first, and what is to be said of each new one's image.
// Without a comparison the places are those of the list.
func (c *Comparison) newsFirst(suspects []isolate.Suspect) (places []int, news map[int]string) {
	news = map[int]string{}
	if c != nil {
		for _, s := range c.rows {
			news[s.Index] = ", new"
			if s.added {
				news[s.Index] = ", new and added"
			}
		}
	}
	places = rng.Iota(len(suspects))
	isNew := func(place int) int { return stat.Bit(news[suspects[place].Index] != "") }
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(isNew(b), isNew(a)) })
	return places, news
}

type newSuspect struct {
	isolate.Suspect
	label string
	added bool
}

// Says is what a verdict says of what the baseline did not have: of the labels of new suspects, or else that there is more in doubt.
func (c *Comparison) Says(v *audit.Verdict) look.Says {
	if c.New() == 0 {
		if c.NewInDoubt > 0 {
			return look.CantTell
		}
		return look.NoEvidence
	}
	says := look.NoEvidence
	for _, t := range v.Targets {
		if t.Found() && slices.ContainsFunc(c.rows, func(s newSuspect) bool { return s.label == t.Class }) {
			says = max(says, t.Says)
		}
	}
	if says == look.NoEvidence { // found by a look that names no label
		return v.Says
	}
	return says
}

// BaselineFile is the list of suspects of an earlier audit, which is named by the list, the audit's folder, or another file in it.
func BaselineFile(path string) string {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return filepath.Join(path, SuspectsFile)
	}
	if filepath.Ext(path) != ".csv" {
		return filepath.Join(filepath.Dir(path), SuspectsFile)
	}
	return path
}

// ofSearch refuses lists that don't say what an audit suspected. ABL isolates its share of any data: poison that is among it is not known.
func ofSearch(head []string) error {
	if slices.Contains(head, "loss") {
		return errors.New("expected what an audit suspected, found what ABL isolated, which it does whether anything was planted or not")
	}
	return Columns("digest", "label", "isolated")(head)
}

// ReadBaseline reads the list of suspects of an earlier audit; see BaselineFile.
func ReadBaseline(path string) (*Baseline, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	path = BaselineFile(path)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("baseline: expected the folder of an audit: %w", err)
	}
	defer f.Close()
	b := &Baseline{images: map[labelled]int{}, suspects: map[labelled]int{}, doubtful: map[labelled]int{}}
	err = EachRow(path, f, ofSearch, func(_ int, cell func(column string) (string, bool)) error {
		digest, _ := cell("digest")
		label, _ := cell("label")
		key := labelled{digest, names.FromCell(label)}
		b.images[key]++
		flag, _ := cell("isolated")
		isolated, err := ReadFlag("isolated", flag)
		if err != nil {
			return err
		}
		if isolated {
			b.suspects[key]++
		}
		stands := false
		if flag, ok := cell("doubtful"); ok { // of a search alone
			if stands, err = ReadFlag("doubtful", flag); err != nil {
				return err
			}
		}
		if isolated || stands {
			b.doubtful[key]++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w; audit the earlier data again with this version", err)
	}
	return b, nil
}

// compare takes each image for one of the baseline's while there are any like it: a further copy is an added one.
func (b *Baseline) compare(set *dataset.Set, suspects []isolate.Suspect) *Comparison {
	left, known, stood := maps.Clone(b.images), maps.Clone(b.suspects), map[labelled]int{}
	maps.Copy(stood, b.doubtful)
	c := &Comparison{}
	// Suspects first, so that of equal images those that were suspected are matched with each other.
	for _, isolated := range []bool{true, false} {
		for _, s := range suspects {
			if s.Isolated != isolated {
				continue
			}
			key := labelled{set.ImageDigest(s.Index).String(), set.Classes[set.Labels[s.Index]]}
			added := left[key] == 0
			if added {
				c.Added++
			} else {
				left[key]--
			}
			if s.Isolated || s.Doubtful {
				if stood[key]--; stood[key] < 0 && !s.Isolated {
					c.NewInDoubt++
				}
			}
			switch {
			case !isolated:
			case known[key] > 0:
				known[key]--
				c.Known++
			default:
				if added {
					c.NewOfAdded++
				} else {
					c.NewOfOld++
				}
				c.rows = append(c.rows, newSuspect{s, key.label, added})
			}
		}
	}
	for _, n := range left {
		c.Gone += n
	}
	return c
}

// write lists the new suspects, those that look most like it first, and says of each whether its image was added.
func (c *Comparison) write(folder string, set *dataset.Set) error {
	return atomicfile.Write(filepath.Join(folder, NewSuspectsFile), func(w io.Writer) error {
		columns := []string{"index", "source", "label", "digest", "probability", "image"}
		return writeRows(w, columns, len(c.rows), func(k int) []string {
			s, image := c.rows[k], "known"
			if s.added {
				image = "added"
			}
			return []string{
				strconv.Itoa(s.Index), names.Cell(set.Source(s.Index)), names.Cell(set.Classes[set.Labels[s.Index]]), set.ImageDigest(s.Index).String(),
				strconv.FormatFloat(float64(s.Probability), 'g', 4, 32), image,
			}
		})
	})
}
