package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/x448/float16"
)

// npyFeatures maps an array N×D.
func npyFeatures(file string, set *Set) (*Features, error) {
	f, size, err := newStore(file, Options{}).open(file)
	if err != nil {
		return nil, err
	}
	a, err := npyHead(f)
	switch {
	case err != nil:
	case len(a.dims) != 2 || a.dims[1] == 0:
		err = fmt.Errorf("expected an array of N×D numbers, D at least 1, found the shape %v", a.dims)
	case a.kind != "f2" && a.kind != "f4":
		err = fmt.Errorf("expected float16 or float32, found %s", a.kind)
	case product(a.dims)*int64(a.width) != size-a.size:
		err = fmt.Errorf("expected %d bytes for the shape %v, found %d", product(a.dims)*int64(a.width), a.dims, size-a.size)
	default:
		if err = inOrder(a.dims[0], set); err == nil {
			err = checkNote(file, set)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m, raw, err := mapFile(f, int(size))
	if err != nil {
		return nil, err
	}
	raw = raw[a.size:]
	line, row := a.dims[1]*a.width, a.rowsOf(raw)
	out := &Features{Width: a.dims[1], n: a.dims[0], at: row}
	if m != nil {
		out.read, out.from = f, st
		out.at = func(k int) []float32 {
			m.look(raw[k*line : (k+1)*line])
			return row(k)
		}
	}
	return out, checkFinite(out.n, out.at)
}

// rowsOf returns the function that gives a row of numbers: of the file's own, where they lie in memory as this machine has
// them, else of a copy.
func (a *npyArray) rowsOf(raw []byte) func(row int) []float32 {
	d := a.dims[1]
	one := []byte{1, 0}
	native := binary.NativeEndian.Uint16(one) == a.order.Uint16(one)
	if a.kind == "f4" && native && uintptr(unsafe.Pointer(unsafe.SliceData(raw)))%4 == 0 {
		all := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(raw))), len(raw)/4)
		return func(row int) []float32 { return all[row*d : (row+1)*d : (row+1)*d] }
	}
	return func(row int) []float32 {
		out, b := make([]float32, d), raw[row*d*a.width:]
		for k := range out {
			if a.kind == "f4" {
				out[k] = math.Float32frombits(a.order.Uint32(b[4*k:]))
			} else {
				out[k] = float16.Frombits(a.order.Uint16(b[2*k:])).Float32()
			}
		}
		return out
	}
}

// parquetFeaturesOf reads a column of lists, and the file names beside it if there are.
func parquetFeaturesOf(file string, set *Set, o FeatureOptions) (*Features, error) {
	var l lists
	var join *joined
	how := ""
	err := newStore(file, Options{}).withParquet(file, func(p *parquet.File, f io.ReaderAt) error {
		features, image, err := listColumn(p, o, set)
		if err != nil {
			return err
		}
		l.most, l.rows = 1<<20+maxRatio*p.Size(), p.NumRows()
		if err := ofColumn(p, f, features, true, l.add); err != nil {
			return err
		}
		if err := l.end(); err != nil {
			return err
		}
		if image < 0 {
			join, how, err = findNames(p, f, l.start, set)
			return err
		}
		how = byColumn(p, image)
		join, err = joinColumn(p, f, image, l.start, set)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case l.n == 0:
		return nil, errors.New("no row has numbers")
	}
	out := &Features{Width: l.width, Note: how, n: set.Len(), rows: l.start, at: func(k int) []float32 { return l.values[k*l.width : (k+1)*l.width : (k+1)*l.width] }}
	if join == nil {
		return out, inOrder(len(l.start), set)
	}
	out.rows, out.Unused = join.rows, join.unused
	if join.apart != "" {
		out.why = fmt.Sprintf(": names such as %q are of another part than the training images", join.apart)
	}
	return out, nil
}

// ofColumn visits a column's values in all row groups.
func ofColumn(p *parquet.File, f io.ReaderAt, column int, lists bool, visit func(parquet.Value) error) error {
	for i, g := range p.RowGroups() {
		if err := checkColumn(f, p.Size(), &p.Metadata().RowGroups[i], column, lists); err != nil {
			return fmt.Errorf("row group %d: %w", i, err)
		}
		if err := eachValue(g.ColumnChunks()[column], visit); err != nil {
			return err
		}
	}
	return nil
}
