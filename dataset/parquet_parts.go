package dataset

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Parquet files that hold the images of several parts say so in a column, as tables do.

// partLeaf is the leaf of a column that may say the part of a row: text, a number, or yes and no; else -1.
func partLeaf(f *parquet.File, column string) int {
	_, leaves := parquetHead(f)
	of := leaves[column]
	if column == "" || len(of) != 1 {
		return -1
	}
	path := f.Schema().Columns()[of[0]]
	leaf, ok := f.Schema().Lookup(path...)
	if !ok || len(path) > 1 || leaf.MaxRepetitionLevel > 0 {
		return -1
	}
	switch t := leaf.Node.Type(); t.Kind() {
	case parquet.Boolean, parquet.Int32, parquet.Int64:
		return of[0]
	case parquet.ByteArray: // others may be images
		if l := t.LogicalType(); l != nil {
			if _, text := l.Value.(*format.StringType); text {
				return of[0]
			}
		}
	}
	return -1
}

// countParquetParts goes through the columns that may say the parts of rows. What can't be read is said later.
func (s *store) countParquetParts(files []string, o Options) *partColumns {
	p := newPartColumns()
	for _, path := range files {
		_ = s.withParquet(path, func(f *parquet.File, in io.ReaderAt) error {
			p.rows += int(f.NumRows())
			c, _, err := findColumns(f, o, false)
			if err != nil {
				return err
			}
			head, _ := parquetHead(f)
			for _, column := range head {
				if leaf := partLeaf(f, column); leaf >= 0 && leaf != c.label && leaf != c.image {
					if err := p.countLeaf(f, in, leaf, column); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return p
}

// countLeaf counts what a column says, as long as it may say parts.
func (p *partColumns) countLeaf(f *parquet.File, in io.ReaderAt, leaf int, column string) error {
	c := p.count(column)
	usual := slices.Contains(splitColumns, strings.ToLower(strings.TrimSpace(column)))
	for i, g := range f.RowGroups() {
		if err := checkColumn(in, f.Size(), &f.Metadata().RowGroups[i], leaf, false); err != nil {
			return err
		}
		err := eachValue(g.ColumnChunks()[leaf], func(v parquet.Value) error {
			if c.add(parquetText(v)); !usual && c.parts[""] > 0 {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parquetText is a value as a table with separators has it.
func parquetText(v parquet.Value) string {
	if v.IsNull() {
		return ""
	}
	return v.String()
}

// groupParts are what the rows of a row group say of their parts; none where nothing parts them.
func groupParts(g parquet.RowGroup, c parquetColumns) (all []string, err error) {
	if c.part < 0 {
		return nil, nil
	}
	err = eachValue(g.ColumnChunks()[c.part], func(v parquet.Value) error {
		all = append(all, partSaid(c.asked, parquetText(v)))
		return nil
	})
	return all, err
}
