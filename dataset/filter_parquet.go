package dataset

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// eachFile visits the files below a folder of the data, as readers find them: by way of links, too. What can't be read is passed over.
func (f *filter) eachFile(dir string, visit func(p string) error) error {
	return (&walker{store: f.store(), all: true, visit: func(p string, err error) error {
		if err != nil {
			return f.ctx.Err()
		}
		return cmp.Or(f.ctx.Err(), visit(p))
	}}).walk(dir)
}

// named lists the data's files whose names end in one of the suffixes.
func (f *filter) named(suffixes []string) ([]string, error) {
	if f.only != "" {
		return []string{filepath.Join(f.base, f.only)}, nil
	}
	var all []string
	err := f.eachFile(f.base, func(p string) error {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(strings.ToLower(p), s) }) {
			all = append(all, p)
		}
		return nil
	})
	return all, err
}

// parquet filters rows with all their columns and the file's metadata.
func (f *filter) parquet() error {
	files, err := f.named(parquetSuffixes)
	if err != nil {
		return err
	}
	return f.rewriteRows(files, f.parquetFile)
}

// parquetFile writes a file with changed rows.
func (f *filter) parquetFile(from, to string, c *change) error {
	return f.store().withParquet(from, func(p *parquet.File, _ io.ReaderAt) error { return f.parquetRows(p, to, c) })
}

func (f *filter) parquetRows(p *parquet.File, to string, c *change) (err error) {
	edit := &parquetEdit{drop: c.drop}
	if len(c.label) > 0 {
		if edit.moves, err = f.parquetMoves(p, c.label); err == nil && edit.moves == nil {
			edit.column, edit.label, err = f.parquetLabels(p, c.label)
		}
		if err != nil {
			return err
		}
	}
	return writeFile(to, func(out io.Writer) error {
		b := bufio.NewWriterSize(out, 1<<20)
		w := parquet.NewGenericWriter[any](b, p.Schema())
		for _, kv := range p.Metadata().KeyValueMetadata {
			w.SetKeyValueMetadata(kv.Key, kv.Value)
		}
		for _, g := range p.RowGroups() {
			if err := f.parquetGroup(w, g, edit); err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
		}
		return errors.Join(w.Close(), b.Flush())
	})
}

// parquetEdit is what becomes of a file's rows.
type parquetEdit struct {
	drop   map[int]bool
	column int                     // of labels
	label  map[int][]parquet.Value // what stands in it in rows under other labels
	moves  *parquetMoves           // where the labels are columns of classes
	at     int                     // the next row
}

// next returns what becomes of the next row: nil if it is dropped.
func (e *parquetEdit) next(r parquet.Row) (parquet.Row, error) {
	row := e.at
	label := e.label[row]
	e.at++
	switch {
	case e.drop[row]:
		return nil, nil
	case e.moves != nil && e.moves.class[row] != "":
		return r, e.moves.move(r, e.moves.class[row])
	case label == nil:
		return r, nil
	}
	var out parquet.Row
	for _, v := range r {
		if v.Column() != e.column {
			out = append(out, v)
			continue
		}
		out, label = append(out, label...), nil
	}
	return out, nil
}

// parquetGroup copies the rows of a group that are kept.
func (f *filter) parquetGroup(w *parquet.GenericWriter[any], g parquet.RowGroup, edit *parquetEdit) error {
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
			r, err := edit.next(r)
			if err != nil {
				return err
			}
			if r != nil {
				kept = append(kept, r)
			}
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
