package runs

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/isolate"
)

// WriteSuspects writes all images in the order of suspicion: after a search their probabilities of being planted, in the column shows
// the class that an image surely shows, where its label contradicts that, and which ones stand out where the verdict can't tell
// (doubtful); otherwise the loss that isolation ranks by.
func WriteSuspects(path string, set *dataset.Set, suspects []isolate.Suspect, searched bool) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		columns := []string{"index", "source", "label", "rank", "isolated", "digest"}
		if searched {
			columns = append(columns, "probability", "shows", "doubtful")
		} else {
			columns = append(columns, "loss")
		}
		return writeRows(w, columns, len(suspects), func(rank int) []string {
			s := suspects[rank]
			row := []string{
				strconv.Itoa(s.Index), names.Cell(set.Source(s.Index)), names.Cell(set.Classes[set.Labels[s.Index]]),
				strconv.Itoa(rank + 1), strconv.FormatBool(s.Isolated), set.ImageDigest(s.Index).String(),
			}
			if searched {
				shows := ""
				if s.Wrong {
					shows = names.Cell(set.Classes[s.Shows])
				}
				return append(row, strconv.FormatFloat(float64(s.Probability), 'g', 4, 32), shows, strconv.FormatBool(s.Doubtful))
			}
			return append(row, strconv.FormatFloat(float64(s.Score), 'g', 6, 32))
		})
	})
}

// ErrNoSuspects is of a list in which no image is isolated.
var ErrNoSuspects = errors.New("no suspects in it")

// ReadSuspects returns a score for every image from a list of suspects: 1, 2, … for the isolated ones in the order of
// suspicion, and larger ones than the set has images for the others, in their order, that of images that are not listed for
// the first. Without the column isolated all that are listed count. The order is that of the column rank or, without one, of the
// images. Images that are no suspects, and that the list has only in the data's order, have one score.
func ReadSuspects(l List) (scores []float32, isolated int, err error) {
	n := l.Set.Len()
	var all []entry
	err = eachRanked(l, func(e entry) { all = append(all, e) })
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.index, b.index)) })
	scores = slices.Repeat([]float32{float32(n)}, n)
	first, last := 0, entry{index: n} // of a stretch of images that nothing but their order in the data tells apart
	for k, e := range all {
		if e.isolated {
			isolated++
			scores[e.index] = float32(isolated)
			continue
		}
		if !e.follows(last) {
			first = k
		}
		last = e
		scores[e.index] = float32(n + first + 1) // keeps the order of suspicion for what is held back
	}
	if isolated == 0 {
		return nil, 0, fmt.Errorf("%s: %w", l.Path, ErrNoSuspects)
	}
	return scores, isolated, nil
}

// entry is a row of a list of suspects.
type entry struct {
	rank, index int
	isolated    bool
	looks       [3]string // how suspicious it is, as it is written
}

// follows tells whether an entry comes after another one only since its image does.
func (e entry) follows(before entry) bool {
	same := e.rank == before.rank || e.looks == before.looks && e.looks != [3]string{}
	return same && e.index > before.index
}

// ReadRanks visits the images of a list of suspects, in its order, with their ranks and whether they are isolated. Without the column
// rank that is 0, without isolated all are.
func ReadRanks(l List, visit func(i, rank int, isolated bool)) error {
	return eachRanked(l, func(e entry) { visit(e.index, e.rank, e.isolated) })
}

// eachRanked visits the rows of a list of suspects.
func eachRanked(l List, visit func(e entry)) error {
	return l.Read(nil, func(r listed) (err error) {
		e := entry{index: r.Index, isolated: true}
		if flag, ok := r.Cell("isolated"); ok {
			if e.isolated, err = ReadFlag("isolated", flag); err != nil {
				return err
			}
		}
		if text, ok := r.Cell("rank"); ok {
			if e.rank, err = strconv.Atoi(text); err != nil {
				return fmt.Errorf("rank: expected a number, found %q", text)
			}
		}
		for k, column := range []string{"probability", "loss", "doubtful"} {
			e.looks[k], _ = r.Cell(column)
		}
		visit(e)
		return nil
	})
}

// ReadFlag reads a cell of a column such as isolated. Spreadsheets write TRUE and FALSE.
func ReadFlag(column, cell string) (bool, error) {
	switch strings.ToLower(cell) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%s: expected true or false, found %q", column, cell)
}

// ReadDecisions calls decide for each image of a list with the column decision (keep, drop).
func ReadDecisions(l List, decide func(i int, drop bool)) error {
	return l.Read([]string{"decision"}, func(r listed) error {
		d, _ := r.Cell("decision")
		if d = strings.ToLower(d); d != "keep" && d != "drop" {
			return fmt.Errorf("expected keep or drop, found %q", d)
		}
		decide(r.Index, d == "drop")
		return nil
	})
}

// ReadShown returns the class that each image surely shows by a list's column shows, −1 where it says none.
func ReadShown(l List) ([]int32, error) {
	labels := slices.Repeat([]int32{-1}, l.Set.Len())
	return labels, l.Read([]string{"shows"}, func(r listed) error {
		cell, _ := r.Cell("shows")
		if cell == "" {
			return nil
		}
		k := slices.Index(l.Set.Classes, names.FromCell(cell))
		if k < 0 {
			return fmt.Errorf("shows: no class is called %q", cell)
		}
		labels[r.Index] = int32(k)
		return nil
	})
}

// ReadLosses returns every image's loss from a list of suspects.
func ReadLosses(l List) ([]float32, error) {
	losses := make([]float32, l.Set.Len())
	return losses, l.Read([]string{"loss"}, func(r listed) error {
		loss, _ := r.Cell("loss")
		v, err := strconv.ParseFloat(loss, 32)
		losses[r.Index] = float32(v)
		return err
	})
}

// WriteKept lists the images that are not marked in drop. With labels, −1 for an image's own, the column label holds those, and
// old_label what they were.
func WriteKept(path string, set *dataset.Set, drop []bool, labels []int32) error {
	return atomicfile.Write(path, func(w io.Writer) error { return PrintKept(w, set, drop, labels) })
}

// PrintKept is WriteKept to somewhere else than a file.
func PrintKept(w io.Writer, set *dataset.Set, drop []bool, labels []int32) error {
	return printKept(w, set, labels, func(i int) bool { return !drop[i] })
}

// WriteCorrected lists the images that get other labels as WriteKept does.
func WriteCorrected(path string, set *dataset.Set, labels []int32) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		return printKept(w, set, labels, func(i int) bool { return labels[i] >= 0 })
	})
}

func printKept(w io.Writer, set *dataset.Set, labels []int32, keep func(i int) bool) error {
	columns := []string{"index", "source", "digest", "label"}
	if labels != nil {
		columns = append(columns, "old_label")
	}
	return writeRows(w, columns, len(set.Labels), func(i int) []string {
		if !keep(i) {
			return nil
		}
		line := []string{strconv.Itoa(i), names.Cell(set.Source(i)), set.ImageDigest(i).String(), names.Cell(set.Classes[set.Labels[i]])}
		if labels != nil {
			if line = append(line, line[3]); labels[i] >= 0 {
				line[3] = names.Cell(set.Classes[labels[i]])
			}
		}
		return line
	})
}

// writeRows writes a table of up to n rows, each when it is made; nil: none.
func writeRows(w io.Writer, columns []string, n int, row func(k int) []string) error {
	c := csv.NewWriter(w)
	err := c.Write(columns)
	for k := 0; k < n && err == nil; k++ {
		if cells := row(k); cells != nil {
			err = c.Write(cells)
		}
	}
	c.Flush()
	return cmp.Or(err, c.Error())
}
