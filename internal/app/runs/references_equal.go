package runs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/names"
)

// severalError is of a row that may mean several images: all of its digest, or of its source (digest is empty).
type severalError struct {
	text, digest string
	images       []int
}

func (e *severalError) Error() string { return e.text }

// equalImages are the rows of a list that only a digest tells, which several images have.
type equalImages struct {
	set *dataset.Set
	of  map[string][]unclear // by digest
}

// unclear is a row that means one of several equal images.
type unclear struct {
	listed
	*severalError
}

func (e *equalImages) add(r listed, s *severalError) {
	e.of[s.digest] = append(e.of[s.digest], unclear{r, s})
}

// settle finds the images: by the column index, where it is that of one of the equal images, and where the list has a row for each of
// them. taken are the rows of images that other rows mean. wrong says what can't be told.
func (e *equalImages) settle(taken map[int]int) (found []listed, wrong []string) {
	take := func(r unclear, i int) {
		taken[i], r.Index = r.Row, i
		found = append(found, r.listed)
	}
	for _, digest := range slices.Sorted(maps.Keys(e.of)) {
		var rest []unclear
		for _, r := range e.of[digest] {
			text, _ := r.Cell("index")
			if i, err := strconv.Atoi(text); err == nil && taken[i] == 0 && slices.Contains(r.images, i) && e.fits(r, i) {
				take(r, i)
			} else {
				rest = append(rest, r)
			}
		}
		if len(rest) == 0 {
			continue
		}
		free := slices.DeleteFunc(slices.Clone(rest[0].images), func(i int) bool { return taken[i] > 0 })
		each := len(rest) == len(free)
		for _, r := range rest {
			k := slices.IndexFunc(free, func(i int) bool { return e.fits(r, i) })
			if !each || k < 0 {
				wrong = append(wrong, fmt.Sprintf("row %d: %v", r.Row, r.severalError))
				continue
			}
			take(r, free[k])
			free = slices.Delete(free, k, k+1)
		}
	}
	return found, wrong
}

// fits tells whether a row has the label of an image, or none.
func (e *equalImages) fits(r unclear, i int) bool {
	own := e.set.Classes[e.set.Labels[i]]
	for _, column := range []string{"old_label", "label"} {
		if cell, ok := r.Cell(column); ok {
			return names.FromCell(cell) == own
		}
	}
	return true
}
