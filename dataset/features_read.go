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
	case len(a.dims) != 2:
		err = fmt.Errorf("expected an array of N×D numbers, found the shape %v", a.dims)
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
	var names []string
	joined := false
	err := newStore(file, Options{}).withParquet(file, func(p *parquet.File, f io.ReaderAt) error {
		features, image, err := listColumn(p, o, set)
		if err != nil {
			return err
		}
		joined, l.most, l.rows = image >= 0, 1<<20+maxRatio*p.Size(), p.NumRows()
		for i, g := range p.RowGroups() {
			for _, c := range []int{features, image} {
				if c < 0 {
					continue
				}
				if err := checkColumn(f, p.Size(), &p.Metadata().RowGroups[i], c, c == features); err != nil {
					return fmt.Errorf("row group %d: %w", i, err)
				}
			}
			if err := eachValue(g.ColumnChunks()[features], l.add); err != nil {
				return err
			}
			if !joined {
				continue
			}
			err := eachValue(g.ColumnChunks()[image], func(v parquet.Value) error {
				if v.IsNull() || v.Kind() != parquet.ByteArray {
					return fmt.Errorf("row %d: expected a file name, found %v", len(names), v.Kind())
				}
				names = append(names, string(v.ByteArray()))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return l.end()
	})
	switch {
	case err != nil:
		return nil, err
	case l.n == 0:
		return nil, errors.New("no row has numbers")
	case joined && len(names) != len(l.start):
		return nil, fmt.Errorf("%d file names for %d rows", len(names), len(l.start))
	}
	out := &Features{Width: l.width, n: set.Len(), rows: l.start, at: func(k int) []float32 { return l.values[k*l.width : (k+1)*l.width : (k+1)*l.width] }}
	if !joined {
		return out, inOrder(len(l.start), set)
	}
	out.rows, out.Unused, err = joinFeatures(names, l.start, set)
	return out, err
}
