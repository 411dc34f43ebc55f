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
func withParquet(path string, do func(f *parquet.File) error) (err error) {
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
	p, err := parquet.OpenFile(f, st.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := do(p); err != nil {
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
	err = withParquet(path, func(f *parquet.File) error {
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
	return withParquet(path, func(f *parquet.File) error {
		image := leaf(f, "image.bytes", "img.bytes", "image", "img")
		label := leaf(f, parquetLabels...)
		if image < 0 || label < 0 {
			var names []string
			for _, c := range f.Schema().Columns() {
				names = append(names, strings.Join(c, "."))
			}
			return fmt.Errorf("expected the columns image.bytes and label, found %s", strings.Join(names, ", "))
		}
		row := 0
		for _, g := range f.RowGroups() {
			if err := readGroup(g, filepath.Base(path), image, label, &row, yield); err != nil {
				return err
			}
		}
		return nil
	})
}

func readGroup(g parquet.RowGroup, file string, image, label int, row *int, yield func(record) error) error {
	rows := g.Rows()
	defer rows.Close()
	buf := make([]parquet.Row, 16)
	for {
		n, err := rows.ReadRows(buf)
		for _, values := range buf[:n] {
			c := record{source: file, row: *row}
			for _, v := range values {
				switch {
				case v.IsNull():
				case v.Column() == label:
					c.label = v.String()
				case v.Column() == image:
					data := slices.Clone(v.ByteArray())
					c.read = func() ([]byte, error) { return data, nil }
				}
			}
			*row++
			if err := yield(c); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("row %d: nothing comes", *row)
		}
	}
}
