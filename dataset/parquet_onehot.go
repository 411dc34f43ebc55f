package dataset

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Parquet files whose labels are columns of zeros and ones, one a class, by the rules of tables.

// cellLeaf is the leaf of a column with one value a row, which a table with separators could have in a cell; else -1. Numbers with a
// point that the type places, and times, are none.
func cellLeaf(f *parquet.File, column string) int {
	_, leaves := parquetHead(f)
	of := leaves[column]
	if len(of) != 1 {
		return -1
	}
	path := f.Schema().Columns()[of[0]]
	leaf, ok := f.Schema().Lookup(path...)
	if !ok || len(path) > 1 || leaf.MaxRepetitionLevel > 0 {
		return -1
	}
	var logical format.LogicalTypeValue
	if l := leaf.Node.Type().LogicalType(); l != nil {
		logical = l.Value
	}
	fits := false
	switch _, whole := logical.(*format.IntType); leaf.Node.Type().Kind() {
	case parquet.Boolean, parquet.Float, parquet.Double:
		fits = logical == nil
	case parquet.Int32, parquet.Int64:
		fits = logical == nil || whole
	case parquet.ByteArray: // others may be images
		_, fits = logical.(*format.StringType)
	}
	if !fits {
		return -1
	}
	return of[0]
}

// cellText is a value as a table with separators has it. Not a number is what programs write where there is none.
func cellText(v parquet.Value) string {
	if v.Kind() == parquet.Float && math.IsNaN(float64(v.Float())) || v.Kind() == parquet.Double && math.IsNaN(v.Double()) {
		return ""
	}
	return parquetText(v)
}

// oneHotInParquet is oneHotIn for the Parquet files of a folder.
func (s *store) oneHotInParquet(dir string, o Options) (h *oneHot) {
	files := s.partFiles(dir, parquetSuffixes).train
	if o.Label != "" || len(files) == 0 {
		return nil
	}
	_ = s.withParquet(files[0], func(f *parquet.File, in io.ReaderAt) error {
		h = lookAtParquet(f, in, o).oneHot()
		return nil
	})
	return h
}

// lookAtParquet is lookAt for Parquet.
func lookAtParquet(f *parquet.File, in io.ReaderAt, o Options) *columnLook {
	c, label, err := findColumns(f, o, false)
	if err != nil || label != "" {
		return &columnLook{label: label}
	}
	head, _ := parquetHead(f)
	n := &columnCounts{of: map[string]*cellCount{}}
	for i, g := range f.RowGroups() {
		if err := n.addGroup(f, in, i, g, head); err != nil {
			return &columnLook{head: head}
		}
	}
	l := n.look(c.name, "")
	l.head = head
	return l
}

// addGroup goes through the first rows of a row group.
func (n *columnCounts) addGroup(f *parquet.File, in io.ReaderAt, group int, g parquet.RowGroup, head []string) error {
	rows := min(int(g.NumRows()), lookedRows-len(n.rows))
	if rows <= 0 {
		return nil
	}
	readers := make([]*valueReader, len(head))
	defer func() {
		for _, r := range readers {
			if r != nil {
				r.close()
			}
		}
	}()
	for k, column := range head {
		leaf := cellLeaf(f, column)
		if leaf < 0 {
			continue
		}
		if err := checkColumn(in, f.Size(), &f.Metadata().RowGroups[group], leaf, false); err != nil {
			return err
		}
		readers[k] = newValueReader(g.ColumnChunks()[leaf])
	}
	for range rows {
		for k, column := range head {
			text := "an object" // or whatever else is no cell
			if readers[k] != nil {
				v, err := readers[k].next()
				if err != nil {
					return err
				}
				text = cellText(v)
			}
			n.add(column, text)
		}
		n.end()
	}
	return nil
}

// findOneHot finds the columns of the classes in a file, which may lack them all where it is not labelled.
func (c *parquetColumns) findOneHot(f *parquet.File, h *oneHot, labelled bool) error {
	head, _ := parquetHead(f)
	at, err := h.find(head, c.name)
	if err == nil && at == nil && labelled {
		err = errors.New("none of them")
	}
	if err != nil {
		return fmt.Errorf("expected %s, found %w", sameColumns, err)
	}
	c.hot = h
	for k, i := range at {
		leaf := cellLeaf(f, head[i])
		if leaf < 0 {
			return fmt.Errorf("expected 0 and 1 in the column %q, found values of another type", h.classes[k])
		}
		c.at = append(c.at, leaf)
	}
	return nil
}

// groupReader reads the labels of a row group.
type groupReader struct {
	labels  []Label // of a column
	bad     map[int]string
	none    bool // there are none
	row     int
	hot     *oneHot
	classes []*valueReader
}

// rowLabels reads them: all at once where they are one column, else row by row.
func rowLabels(g parquet.RowGroup, c parquetColumns) (r *groupReader, err error) {
	r = &groupReader{hot: c.hot, none: c.label < 0 && c.at == nil}
	if c.label >= 0 {
		r.labels, r.bad, err = groupLabels(g, c)
		return r, err
	}
	for _, leaf := range c.at {
		r.classes = append(r.classes, newValueReader(g.ColumnChunks()[leaf]))
	}
	return r, nil
}

func (r *groupReader) close() {
	for _, c := range r.classes {
		c.close()
	}
}

// next is the next row's label, or what is wrong with it; io.EOF after the last.
func (r *groupReader) next() (l Label, want, bad string, err error) {
	switch {
	case r.none:
		return l, "", "", nil
	case r.classes == nil && r.row == len(r.labels):
		return l, "", "", io.EOF
	case r.classes == nil:
		r.row++
		return r.labels[r.row-1], "one label", r.bad[r.row-1], nil
	}
	cells := make([]string, len(r.classes))
	for k, c := range r.classes {
		v, err := c.next()
		if err != nil {
			return l, "", "", err
		}
		cells[k] = cellText(v)
	}
	l, want, bad = r.hot.label(func(k int) string { return cells[k] })
	return l, want, bad, nil
}

// more tells whether labels are left.
func (r *groupReader) more() bool {
	return r.row < len(r.labels) || slices.ContainsFunc(r.classes, func(c *valueReader) bool {
		_, err := c.next()
		return err == nil
	})
}

// A parquetMoves holds the rows whose one shall stand in the column of another class.
type parquetMoves struct {
	hot   *oneHot
	at    []int // the leaves of the classes
	class map[int]string
}

// parquetMoves are those of a file; nil where its labels are no columns of classes.
func (f *filter) parquetMoves(p *parquet.File, labels map[int]int32) (*parquetMoves, error) {
	hot := f.store().oneHotInParquet(f.data.Path, f.opts)
	if hot == nil {
		return nil, nil
	}
	c, _, err := findColumns(p, f.opts, true)
	if err == nil {
		err = c.findOneHot(p, hot, true)
	}
	m := &parquetMoves{hot: hot, at: c.at, class: map[int]string{}}
	for row, class := range labels {
		m.class[row] = f.data.Train.Classes[class]
	}
	return m, err
}

// move lets two cells of a row change places.
func (m *parquetMoves) move(r parquet.Row, class string) error {
	at := make([]int, len(m.at)) // in the row
	for k, leaf := range m.at {
		at[k] = slices.IndexFunc(r, func(v parquet.Value) bool { return v.Column() == leaf })
	}
	from, to, err := m.hot.places(at, class, func(i int) string { return cellText(r[i]) })
	if err != nil {
		return err
	}
	a, b := r[from], r[to]
	if a.Kind() != b.Kind() {
		return fmt.Errorf("the columns of the classes are of the types %v and %v; write all of them with one type", a.Kind(), b.Kind())
	}
	r[from], r[to] = b.Level(a.RepetitionLevel(), a.DefinitionLevel(), a.Column()), a.Level(b.RepetitionLevel(), b.DefinitionLevel(), b.Column())
	return nil
}
