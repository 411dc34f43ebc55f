package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Parquet as the Hugging Face hub has it: columns image (a struct of bytes and path, or bytes alone) and
// label, whose class names stand in the file's metadata; several shards, train-*.parquet and
// test-*.parquet, also below data/.

var parquetSuffixes = []string{".parquet"}

func isParquet(dir string) bool {
	train, _ := partFiles(dir, parquetSuffixes)
	return len(train) > 0
}

func loadParquet(ctx context.Context, dir string, r *reader) (*Data, error) {
	train, test := partFiles(dir, parquetSuffixes)
	if len(train) == 0 {
		return nil, fmt.Errorf("%s: expected Parquet files", dir)
	}
	classes, err := parquetClasses(train[0])
	if err != nil {
		return nil, err
	}
	return r.fromFiles(ctx, classes, train, test, readParquet)
}

// withParquet opens a file; what the library panics with on a damaged one becomes an error.
func withParquet(path string, do func(p *parquet.File, f io.ReaderAt) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged: %v", path, p)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := checkFooter(f, st.Size()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p, err := parquet.OpenFile(f, st.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := do(p, f); err != nil {
		var bad *RecordError
		if errors.As(err, &bad) || strings.Contains(err.Error(), path) {
			return err
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// leaf returns the index of the column with one of the paths.
func leaf(f *parquet.File, paths ...string) int {
	for _, want := range paths {
		for i, c := range f.Schema().Columns() {
			if strings.EqualFold(strings.Join(c, "."), want) {
				return i
			}
		}
	}
	return -1
}

var parquetLabels = []string{"label", "fine_label", "labels", "class", "target"}

// parquetClasses returns the class names that the hub's metadata gives, or nil.
func parquetClasses(path string) (classes []string, err error) {
	err = withParquet(path, func(f *parquet.File, _ io.ReaderAt) error {
		text, ok := f.Lookup("huggingface")
		if !ok {
			return nil
		}
		var meta struct {
			Info struct {
				Features map[string]json.RawMessage `json:"features"`
			} `json:"info"`
		}
		if json.Unmarshal([]byte(text), &meta) != nil {
			return nil
		}
		for _, name := range parquetLabels {
			var feature struct {
				Names json.RawMessage `json:"names"`
			}
			if json.Unmarshal(meta.Info.Features[name], &feature) != nil {
				continue
			}
			var byNumber map[string]string
			if json.Unmarshal(feature.Names, &classes) == nil && classes != nil {
				return nil
			}
			if json.Unmarshal(feature.Names, &byNumber) == nil && byNumber != nil {
				for i := range len(byNumber) {
					classes = append(classes, byNumber[fmt.Sprint(i)])
				}
				return nil
			}
		}
		return nil
	})
	return classes, err
}

func readParquet(path string, yield func(record) error) error {
	return withParquet(path, func(p *parquet.File, f io.ReaderAt) error {
		image := leaf(p, "image.bytes", "img.bytes", "image", "img")
		label := leaf(p, parquetLabels...)
		if image < 0 || label < 0 {
			var names []string
			for _, c := range p.Schema().Columns() {
				names = append(names, strings.Join(c, "."))
			}
			return fmt.Errorf("expected the columns image.bytes and label, found %s", strings.Join(names, ", "))
		}
		row := 0
		for i, g := range p.RowGroups() {
			for _, column := range []int{label, image} {
				if err := checkColumn(f, p.Size(), &p.Metadata().RowGroups[i], column); err != nil {
					return fmt.Errorf("row group %d: %w", i, err)
				}
			}
			if err := readGroup(g, filepath.Base(path), image, label, &row, yield); err != nil {
				return err
			}
		}
		return nil
	})
}

// readGroup yields the rows of a row group; row counts on.
func readGroup(g parquet.RowGroup, file string, image, label int, row *int, yield func(record) error) error {
	var labels []string
	err := eachValue(g.ColumnChunks()[label], func(v parquet.Value) error {
		text := ""
		if !v.IsNull() {
			text = v.String()
		}
		labels = append(labels, text)
		return nil
	})
	if err != nil {
		return err
	}
	k := 0
	err = eachValue(g.ColumnChunks()[image], func(v parquet.Value) error {
		if k == len(labels) {
			return fmt.Errorf("row %d: more images than labels", *row)
		}
		c := record{source: file, row: *row, label: labels[k]}
		if !v.IsNull() {
			data := slices.Clone(v.ByteArray())
			c.read = func() ([]byte, error) { return data, nil }
		}
		k++
		*row++
		return yield(c)
	})
	if err == nil && k < len(labels) {
		err = fmt.Errorf("row %d: more labels than images", *row)
	}
	return err
}

// eachValue visits the values of a column in one row group.
func eachValue(c parquet.ColumnChunk, visit func(parquet.Value) error) error {
	pages := c.Pages()
	defer pages.Close()
	buf := make([]parquet.Value, 16)
	for {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for values := p.Values(); !errors.Is(err, io.EOF); {
			var n int
			n, err = values.ReadValues(buf)
			for _, v := range buf[:n] {
				if err := visit(v); err != nil {
					return err
				}
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if n == 0 && err == nil {
				return errors.New("a page whose values do not come")
			}
		}
		parquet.Release(p)
	}
}
