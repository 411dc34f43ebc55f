package dataset

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// byColumn says which column rows are joined by.
func byColumn(p *parquet.File, column int) string {
	return fmt.Sprintf("the features' rows are joined to images by the column %q", strings.Join(p.Schema().Columns()[column], "."))
}

// namesIn reads a column of file names, which are strict if every row has to have one; else rows without have an empty name.
func namesIn(p *parquet.File, f io.ReaderAt, column int, strict bool) (names []string, err error) {
	err = ofColumn(p, f, column, false, func(v parquet.Value) error {
		if strict && (v.IsNull() || v.Kind() != parquet.ByteArray) {
			return fmt.Errorf("row %d: expected a file name, found %v", len(names), v.Kind())
		}
		names = append(names, string(v.ByteArray()))
		return nil
	})
	return names, err
}

// joinColumn finds each image's list by the names in a column.
func joinColumn(p *parquet.File, f io.ReaderAt, column int, start []int32, set *Set) (*joined, error) {
	names, err := namesIn(p, f, column, true)
	if err != nil {
		return nil, err
	}
	if len(names) != len(start) {
		return nil, fmt.Errorf("%d file names for %d rows", len(names), len(start))
	}
	return joinFeatures(names, start, set)
}

// namesImages tells whether most of a column's values are names of images.
func namesImages(p *parquet.File, f io.ReaderAt, column int, set *Set) bool {
	names, err := namesIn(p, f, column, false)
	if err != nil || len(names) == 0 {
		return false
	}
	rows, seen := len(names), map[string]bool{"": true}
	names = slices.DeleteFunc(names, func(n string) bool {
		n = path.Clean(slashed(n))
		twice := seen[n]
		seen[n] = true
		return twice
	})
	j, err := joinFeatures(names, make([]int32, len(names)), set)
	return err == nil && 2*(len(names)-j.unused) > rows
}

// findNames joins by the only column of text whose values are mostly names of images, where no column has a usual name. Else rows are in
// order, and nothing is joined. how says which.
func findNames(p *parquet.File, f io.ReaderAt, start []int32, set *Set) (by *joined, how string, err error) {
	found, other := "", ""
	for i, c := range p.Schema().Columns() {
		leaf, ok := p.Schema().Lookup(c...)
		if !ok || len(c) != 1 || !isText(leaf.Node) {
			continue
		}
		if !namesImages(p, f, i, set) { // labels, and other things that images are not named by
			other = c[0]
			continue
		}
		if by != nil {
			return nil, "", fmt.Errorf("the columns %q and %q both name the images; --features-image COLUMN says which", found, c[0])
		}
		if by, err = joinColumn(p, f, i, start, set); err != nil {
			return nil, "", fmt.Errorf("the column %q names the images: %w", c[0], err)
		}
		found, how = c[0], byColumn(p, i)
	}
	if by != nil {
		return by, how, nil
	}
	how = "the features' rows are taken in their order, the first for the first training image"
	if other != "" {
		how += fmt.Sprintf("; the column %q is not used, --features-image joins by it", other)
	}
	return nil, how, nil
}

// isText tells whether a column holds text.
func isText(n parquet.Node) bool {
	if !n.Leaf() || n.Type().Kind() != parquet.ByteArray {
		return false
	}
	if t := n.Type().ConvertedType(); t != nil && *t == deprecated.UTF8 {
		return true
	}
	t := n.Type().LogicalType()
	if t == nil {
		return false
	}
	_, text := t.Value.(*format.StringType)
	return text
}
