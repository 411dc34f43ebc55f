package runs

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/isolate"
)

// WriteSuspects writes all images in the order of suspicion.
func WriteSuspects(path string, set *dataset.Set, suspects []isolate.Suspect) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		if err := c.Write([]string{"index", "source", "label", "loss", "rank", "isolated", "probability", "digest"}); err != nil {
			return err
		}
		for rank, s := range suspects {
			err := c.Write([]string{
				strconv.Itoa(s.Index), set.Source(s.Index), set.Classes[set.Labels[s.Index]],
				strconv.FormatFloat(float64(s.Score), 'g', 6, 32), strconv.Itoa(rank + 1), strconv.FormatBool(s.Isolated),
				strconv.FormatFloat(float64(s.Probability), 'g', 4, 32), set.ImageDigest(s.Index).String(),
			})
			if err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	})
}

// ReadIndexed reads a CSV with the column index, from 0 to n−1, and others that it needs. visit receives
// the row's number, from 1, its index, and its cell of a column, if the table has it.
func ReadIndexed(path string, n int, needs []string, visit func(row, index int, cell func(column string) (string, bool)) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: expected a line of column names, found %w", path, err)
	}
	needs = append([]string{"index"}, needs...)
	for _, c := range needs {
		if !slices.Contains(head, c) {
			return fmt.Errorf("%s: expected a column %s, found %v", path, strings.Join(needs, " and one "), head)
		}
	}
	for row := 1; ; row++ {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		cell := func(column string) (string, bool) {
			if k := slices.Index(head, column); k >= 0 {
				return rec[k], true
			}
			return "", false
		}
		index, _ := cell("index")
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= n {
			return fmt.Errorf("%s, row %d: expected an index from 0 to %d, found %q", path, row, n-1, index)
		}
		if err := visit(row, i, cell); err != nil {
			return fmt.Errorf("%s, row %d: %w", path, row, err)
		}
	}
}

// ReadSuspects returns a score for every image, isolated ones first, from a list of suspects. Without
// the column isolated all that are listed count.
func ReadSuspects(path string, n int) (scores []float32, isolated int, err error) {
	scores = slices.Repeat([]float32{float32(n)}, n)
	err = ReadIndexed(path, n, nil, func(row, i int, cell func(string) (string, bool)) error {
		if flag, ok := cell("isolated"); ok && flag != "true" {
			scores[i] = float32(n + row) // keeps the order of suspicion for what is held back
			return nil
		}
		scores[i] = float32(row)
		isolated++
		return nil
	})
	if err == nil && isolated == 0 {
		err = fmt.Errorf("%s: no suspects in it", path)
	}
	return scores, isolated, err
}

// ReadLosses returns every image's loss from a list of suspects.
func ReadLosses(path string, n int) ([]float32, error) {
	losses := make([]float32, n)
	return losses, ReadIndexed(path, n, []string{"loss"}, func(_, i int, cell func(string) (string, bool)) error {
		loss, _ := cell("loss")
		v, err := strconv.ParseFloat(loss, 32)
		losses[i] = float32(v)
		return err
	})
}
