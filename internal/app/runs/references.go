package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/names"
)

// Lists of images, such as suspects and decisions, refer to an image by its source and its digest. Both are checked;
// where an image has moved or has no digest, one is enough if no other image has the same.

// List is a CSV that refers to images of a set.
type List struct {
	Path string
	Set  *dataset.Set
	// ByIndex takes the row numbers in the column index for the images instead. They are right only for the same data,
	// whole and in the same order; a digest beside one has to be that of its image.
	ByIndex bool
}

// A listed image is a row of a list.
type listed struct {
	Row, Index int                                // the row, from 1, and the image
	Cell       func(column string) (string, bool) // the row's cell, if there is such a column
}

// columns refuses a list without the columns that refer to images, or others that it needs.
func (l List) columns(needs []string) func(head []string) error {
	if l.ByIndex {
		return Columns(append([]string{"index"}, needs...)...)
	}
	return func(head []string) error {
		if !slices.Contains(head, "source") && !slices.Contains(head, "digest") {
			return fmt.Errorf("expected a column source or digest, found %v; --by-index takes the row numbers in the column index, which are right only for the same data in the same order", head)
		}
		return Columns(needs...)(head)
	}
}

// Check reports what is wrong with a list whatever the set is, and whether rows have nothing but numbers to tell its data from others.
// A pipe, which can be read once, is not looked at.
func (l List) Check(needs ...string) (numbers bool, err error) {
	st, err := os.Stat(l.Path)
	if err != nil || !st.Mode().IsRegular() {
		return false, err
	}
	f, err := os.Open(l.Path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = EachRow(l.Path, f, l.columns(needs), func(_ int, cell func(string) (string, bool)) error {
		digest, _ := cell("digest")
		numbers = numbers || l.ByIndex && digest == ""
		return nil
	})
	return numbers, err
}

// ListIn is the list that a path names: that of a name in it, if it is a folder.
func ListIn(path, name string) string {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return filepath.Join(path, name)
	}
	return path
}

// Read visits the images that the list refers to, in its order. needs are columns that have to be there. A list that does
// not fit the set is refused with the first three rows that differ, and nothing is visited.
func (l List) Read(needs []string, visit func(listed) error) error {
	f, err := os.Open(l.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	find := (&finder{set: l.Set}).find
	if l.ByIndex {
		find = l.byIndex
	}
	var all []listed
	first := map[int]int{} // rows by image
	rows := 0
	var wrong []string
	equal := &equalImages{set: l.Set, of: map[string][]unclear{}}
	err = EachRow(l.Path, f, l.columns(needs), func(row int, cell func(column string) (string, bool)) (err error) {
		r := listed{Row: row, Cell: cell}
		if r.Index, err = find(r); err == nil && first[r.Index] > 0 {
			err = fmt.Errorf("%s, which row %d is too", l.Set.Source(r.Index), first[r.Index])
		}
		rows = row
		var several *severalError
		if errors.As(err, &several) && several.digest != "" {
			equal.add(r, several)
			return nil
		}
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("row %d: %v", row, err))
			return nil
		}
		all, first[r.Index] = append(all, r), row
		return nil
	})
	if err != nil {
		return err
	}
	if len(equal.of) > 0 {
		found, bad := equal.settle(first)
		all, wrong = append(all, found...), append(wrong, bad...)
		slices.SortFunc(all, func(a, b listed) int { return a.Row - b.Row })
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s does not fit the data: of %d rows %d differ:\n  %s", l.Path, rows, len(wrong), strings.Join(wrong[:min(3, len(wrong))], "\n  "))
	}
	for _, r := range all {
		if err := visit(r); err != nil {
			return fmt.Errorf("%s, row %d: %w", l.Path, r.Row, err)
		}
	}
	return nil
}

func (l List) byIndex(r listed) (int, error) {
	text, _ := r.Cell("index")
	i, err := strconv.Atoi(text)
	if err != nil || i < 0 || i >= l.Set.Len() {
		return 0, fmt.Errorf("expected an index from 0 to %d, found %q", l.Set.Len()-1, text)
	}
	if d, _ := r.Cell("digest"); d != "" && !strings.EqualFold(l.Set.ImageDigest(i).String(), d) {
		return 0, fmt.Errorf("image %d, %s, has the digest %s, in the list %s", i, l.Set.Source(i), l.Set.ImageDigest(i), d)
	}
	return i, nil
}

// finder finds images by source and digest.
type finder struct {
	set      *dataset.Set
	bySource map[string][]int // like byDigest
	byDigest map[string][]int // made when it is first needed
}

func (f *finder) ofSource(s string) []int {
	if f.bySource == nil {
		f.bySource = make(map[string][]int, f.set.Len())
		for i := range f.set.Len() {
			k := f.set.Source(i)
			f.bySource[k] = append(f.bySource[k], i)
		}
	}
	return f.bySource[s]
}

func (f *finder) ofDigest(d string) []int {
	if f.byDigest == nil {
		f.byDigest = make(map[string][]int, f.set.Len())
		for i := range f.set.Len() {
			k := f.set.ImageDigest(i).String()
			f.byDigest[k] = append(f.byDigest[k], i)
		}
	}
	return f.byDigest[strings.ToLower(d)]
}

// find returns the image that a row means.
func (f *finder) find(r listed) (int, error) {
	source, _ := r.Cell("source")
	digest, _ := r.Cell("digest")
	source = names.FromCell(source)
	switch {
	case source == "" && digest == "":
		return 0, errors.New("neither source nor digest")
	case digest == "":
		return only(f.ofSource(source), "source "+source, "")
	case source == "":
		return only(f.ofDigest(digest), "digest "+digest, digest)
	}
	at := f.ofSource(source)
	for _, i := range at {
		if strings.EqualFold(f.set.ImageDigest(i).String(), digest) {
			return i, nil
		}
	}
	same := f.ofDigest(digest)
	switch {
	case len(same) == 1: // it has moved
		return same[0], nil
	case len(same) > 1:
		return 0, &severalError{fmt.Sprintf("%s is not the image of the digest %s, which %d others are", source, digest, len(same)), strings.ToLower(digest), same}
	case len(at) == 0:
		return 0, fmt.Errorf("the data has neither %s nor an image of the digest %s", source, digest)
	}
	return 0, fmt.Errorf("%s has the digest %s, in the list %s", source, f.set.ImageDigest(at[0]), digest)
}

// only is the one image there is of what; of a digest, if that is given.
func only(at []int, what, digest string) (int, error) {
	switch len(at) {
	case 0:
		return 0, fmt.Errorf("the data has no image of the %s", what)
	case 1:
		return at[0], nil
	}
	return 0, &severalError{fmt.Sprintf("%d images have the %s", len(at), what), strings.ToLower(digest), at}
}
