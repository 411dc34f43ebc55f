package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// named lists the data's files whose names end in one of the suffixes.
func (f *filter) named(suffixes []string) ([]string, error) {
	if f.only != "" {
		return []string{filepath.Join(f.base, f.only)}, nil
	}
	var all []string
	err := filepath.WalkDir(f.base, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(strings.ToLower(p), s) }) {
			all = append(all, p)
		}
		return err
	})
	return all, err
}

// parquet filters rows with all their columns and the file's metadata.
func (f *filter) parquet() error {
	files, err := f.named(parquetSuffixes)
	if err != nil {
		return err
	}
	rows, err := f.rowFiles(files)
	if err != nil {
		return err
	}
	write := map[string]func(from, to string) error{}
	for p, drop := range rows {
		write[p] = func(from, to string) error { return f.parquetFile(from, to, drop) }
	}
	return f.rewrites(write)
}

// parquetFile writes a file without some rows. What the library panics with on a damaged file becomes an error.
func (f *filter) parquetFile(from, to string, drop map[int]bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged: %v", from, p)
		}
	}()
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	p, err := parquet.OpenFile(in, st.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return writeFile(to, func(out io.Writer) error {
		b := bufio.NewWriterSize(out, 1<<20)
		w := parquet.NewGenericWriter[any](b, p.Schema())
		for _, kv := range p.Metadata().KeyValueMetadata {
			w.SetKeyValueMetadata(kv.Key, kv.Value)
		}
		at := 0
		for _, g := range p.RowGroups() {
			if err := f.parquetGroup(w, g, &at, drop); err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
			if err := w.Flush(); err != nil {
				return err
			}
		}
		return errors.Join(w.Close(), b.Flush())
	})
}

// parquetGroup copies the rows of a group but those in drop; at counts on.
func (f *filter) parquetGroup(w *parquet.GenericWriter[any], g parquet.RowGroup, at *int, drop map[int]bool) error {
	rows := g.Rows()
	defer rows.Close()
	buf := make([]parquet.Row, 16)
	for {
		if err := f.ctx.Err(); err != nil {
			return err
		}
		n, err := rows.ReadRows(buf)
		kept := make([]parquet.Row, 0, n)
		for _, r := range buf[:n] {
			if !drop[*at] {
				kept = append(kept, r)
			}
			*at++
		}
		if _, err := w.WriteRows(kept); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("rows that do not come")
		}
	}
}
