package runs

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/defense/abl"
	"github.com/unpoison/unpoison/internal/atomicfile"
)

// WriteSuspects writes all images in the order of suspicion.
func WriteSuspects(path string, set *dataset.Set, suspects []abl.Suspect) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		if err := c.Write([]string{"index", "source", "label", "loss", "rank", "isolated"}); err != nil {
			return err
		}
		for rank, s := range suspects {
			err := c.Write([]string{
				strconv.Itoa(s.Index), set.Source(s.Index), set.Classes[set.Labels[s.Index]],
				strconv.FormatFloat(float64(s.Score), 'g', 6, 32), strconv.Itoa(rank + 1), strconv.FormatBool(s.Isolated),
			})
			if err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	})
}

// ReadSuspects returns a score for every image, isolated ones first, from a list of suspects.
func ReadSuspects(path string, n int) (scores []float32, isolated int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	head, err := r.Read()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: expected a line of column names, found %w", path, err)
	}
	index, flag := slices.Index(head, "index"), slices.Index(head, "isolated")
	if index < 0 {
		return nil, 0, fmt.Errorf("%s: expected a column index, found %v", path, head)
	}
	scores = make([]float32, n)
	for i := range scores {
		scores[i] = float32(n)
	}
	for row := 1; ; row++ {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", path, err)
		}
		i, err := strconv.Atoi(rec[index])
		if err != nil || i < 0 || i >= n {
			return nil, 0, fmt.Errorf("%s, row %d: expected an index from 0 to %d, found %q", path, row, n-1, rec[index])
		}
		if flag >= 0 && rec[flag] != "true" {
			scores[i] = float32(n + row) // keeps the order of suspicion for what is held back
			continue
		}
		scores[i] = float32(row)
		isolated++
	}
	if isolated == 0 {
		return nil, 0, fmt.Errorf("%s: no suspects in it", path)
	}
	return scores, isolated, nil
}

// ReadLosses returns every image's loss from a list of suspects.
func ReadLosses(path string, n int) ([]float32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(lines) == 0 || !slices.Contains(lines[0], "index") || !slices.Contains(lines[0], "loss") {
		return nil, fmt.Errorf("%s: expected the columns index and loss", path)
	}
	index, loss := slices.Index(lines[0], "index"), slices.Index(lines[0], "loss")
	losses := make([]float32, n)
	for row, rec := range lines[1:] {
		i, err := strconv.Atoi(rec[index])
		if err != nil || i < 0 || i >= n {
			return nil, fmt.Errorf("%s, row %d: expected an index from 0 to %d, found %q", path, row+1, n-1, rec[index])
		}
		v, err := strconv.ParseFloat(rec[loss], 32)
		if err != nil {
			return nil, fmt.Errorf("%s, row %d: expected a loss, found %q", path, row+1, rec[loss])
		}
		losses[i] = float32(v)
	}
	return losses, nil
}
