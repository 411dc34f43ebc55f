package dataset

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// The Parquet library believes the sizes and counts of a file and allocates what they say. These checks come
// before it: what a file says must fit into the file.

// thriftValue is what a check wants to know of a value in Thrift's compact protocol.
type thriftValue struct {
	number int64
	fields map[int]thriftValue // of a struct
}

// thriftReader walks through values without allocating more than they take.
type thriftReader struct {
	b     []byte
	depth int
}

var errThrift = errors.New("damaged metadata")

func (r *thriftReader) byte() (byte, error) {
	if len(r.b) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c, nil
}

func (r *thriftReader) uvarint() (uint64, error) {
	v, n := binary.Uvarint(r.b)
	switch {
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	case n < 0:
		return 0, errThrift
	}
	r.b = r.b[n:]
	return v, nil
}

// skip passes over n bytes.
func (r *thriftReader) skip(n uint64) error {
	if n > uint64(len(r.b)) {
		return io.ErrUnexpectedEOF
	}
	r.b = r.b[n:]
	return nil
}

// fields reads a struct up to its end.
func (r *thriftReader) fields() (map[int]thriftValue, error) {
	if r.depth++; r.depth > 32 {
		return nil, errThrift
	}
	defer func() { r.depth-- }()
	fields := map[int]thriftValue{}
	id := 0
	for {
		head, err := r.byte()
		if err != nil || head == 0 {
			return fields, err
		}
		if delta := int(head >> 4); delta > 0 {
			id += delta
		} else {
			v, err := r.uvarint()
			if err != nil {
				return nil, err
			}
			id = int(int16(zigzag(v)))
		}
		switch kind := head & 15; kind {
		case 1, 2: // a boolean, true or false: the type is the value
			fields[id] = thriftValue{number: int64(2 - kind)}
		default:
			if fields[id], err = r.value(kind); err != nil {
				return nil, err
			}
		}
	}
}

func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// value reads a value of one of the protocol's types.
func (r *thriftReader) value(kind byte) (v thriftValue, err error) {
	var n uint64
	switch kind {
	case 1, 2: // a boolean in a list
		_, err = r.byte()
	case 3:
		err = r.skip(1)
	case 4, 5, 6: // integers
		n, err = r.uvarint()
		v.number = zigzag(n)
	case 7: // a double
		err = r.skip(8)
	case 8: // bytes
		if n, err = r.uvarint(); err == nil {
			err = r.skip(n)
		}
	case 9, 10: // a list, a set
		var head byte
		if head, err = r.byte(); err != nil {
			return v, err
		}
		if n = uint64(head >> 4); n == 15 {
			if n, err = r.uvarint(); err != nil {
				return v, err
			}
		}
		if n > uint64(len(r.b)) { // an element takes a byte
			return v, io.ErrUnexpectedEOF
		}
		for range n {
			if _, err = r.value(head & 15); err != nil {
				return v, err
			}
		}
	case 12:
		v.fields, err = r.fields()
	default: // maps and others, which Parquet does not have
		err = errThrift
	}
	return v, err
}

// checkFooter reads the end of a Parquet file and checks that the metadata there are whole.
func checkFooter(f io.ReaderAt, size int64) error {
	var tail [8]byte
	if size < 12 {
		return fmt.Errorf("%d bytes are too few for Parquet", size)
	}
	if _, err := f.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	if string(tail[4:]) != "PAR1" {
		return fmt.Errorf("expected PAR1 at its end, found %q; is it complete?", tail[4:])
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	if n > size-12 {
		return fmt.Errorf("metadata of %d bytes in a file of %d", n, size)
	}
	footer := make([]byte, n)
	if _, err := f.ReadAt(footer, size-8-n); err != nil {
		return err
	}
	if _, err := (&thriftReader{b: footer}).fields(); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	return nil
}

// checkColumn checks the headers of a column's pages in one row group; of lists, which may hold more values than rows.
func checkColumn(f io.ReaderAt, size int64, g *format.RowGroup, column int, lists bool) error {
	if column >= len(g.Columns) {
		return fmt.Errorf("a row group without column %d", column)
	}
	m := &g.Columns[column].MetaData
	at := m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		at = min(at, m.DictionaryPageOffset)
	}
	// An image takes a byte, so there are not more rows than bytes.
	if at < 4 || m.TotalCompressedSize < 0 || at > size || m.TotalCompressedSize > size-at || g.NumRows < 0 || g.NumRows > size {
		return fmt.Errorf("a row group of %d rows, %d bytes from %d in a file of %d", g.NumRows, m.TotalCompressedSize, at, size)
	}
	end, most := at+m.TotalCompressedSize, g.NumRows
	if lists {
		most = min(g.NumRows*maxList, mostValues(size))
	}
	for values := int64(0); values < m.NumValues; {
		p, err := pageHeader(f, at, end)
		if err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
		if err := p.check(f, m.Codec, end, most); err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
		values += p.values
		at = p.body + p.compressed
	}
	return nil
}

// mostValues bounds the values of lists in a file of size bytes: a run of equal ones takes a few bytes, whatever its length.
func mostValues(size int64) int64 { return min(1<<20+maxRatio*size, 1<<26) }

type page struct {
	body                     int64 // where it begins
	compressed, uncompressed int64
	values, entries          int64 // of a data page, of a dictionary
	levels                   int64 // bytes of levels before the compressed ones
	plain                    bool  // not compressed, whatever the column is
}

func pageHeader(f io.ReaderAt, at, end int64) (p page, err error) {
	for most := int64(4 << 10); ; most *= 64 { // a header may hold statistics with images in them
		raw := make([]byte, min(most, end-at))
		if _, err := f.ReadAt(raw, at); err != nil {
			return p, err
		}
		r := thriftReader{b: raw}
		fields, err := r.fields()
		if errors.Is(err, io.ErrUnexpectedEOF) && most < end-at {
			continue
		}
		if err != nil {
			return p, err
		}
		v2 := fields[8].fields
		compressed, said := v2[7]
		return page{
			plain:        said && compressed.number == 0,
			body:         at + int64(len(raw)-len(r.b)),
			uncompressed: fields[2].number, compressed: fields[3].number,
			values:  max(fields[5].fields[1].number, v2[1].number),
			entries: fields[7].fields[1].number,
			levels:  v2[5].number + v2[6].number,
		}, nil
	}
}

func (p page) check(f io.ReaderAt, codec format.CompressionCodec, end, rows int64) error {
	switch {
	case p.compressed < 0 || p.compressed > end-p.body:
		return fmt.Errorf("%d bytes where %d are left", p.compressed, end-p.body)
	case p.uncompressed < 0 || p.uncompressed > math.MaxInt32 || p.uncompressed > 1<<20+maxRatio*p.compressed:
		return fmt.Errorf("%d bytes that would grow to %d", p.compressed, p.uncompressed)
	case p.values < 0 || p.values > rows:
		return fmt.Errorf("%d values for %d rows", p.values, rows)
	case p.entries < 0 || p.entries > p.uncompressed:
		return fmt.Errorf("%d dictionary entries in %d bytes", p.entries, p.uncompressed)
	case p.levels < 0 || p.levels > p.compressed:
		return fmt.Errorf("levels of %d bytes in %d", p.levels, p.compressed)
	}
	if p.plain {
		return nil
	}
	return checkGrowth(io.NewSectionReader(f, p.body+p.levels, p.compressed-p.levels), codec, p.uncompressed-p.levels)
}

// checkGrowth checks that compressed bytes grow to no more than they should.
func checkGrowth(compressed io.Reader, codec format.CompressionCodec, most int64) error {
	var plain io.Reader
	switch codec {
	case format.Uncompressed:
		return nil
	case format.Snappy:
		n, err := binary.ReadUvarint(bufio.NewReader(compressed))
		if err == nil && n > uint64(max(0, most)) {
			return fmt.Errorf("bytes that would grow to %d instead of %d", n, most)
		}
		return nil // what else is wrong with them, the library says
	case format.Gzip:
		r, err := gzip.NewReader(compressed)
		if err != nil {
			return err
		}
		plain = r
	case format.Zstd:
		r, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			return err
		}
		defer r.Close()
		plain = r
	default: // the library's LZ4 takes ever more memory for damaged bytes, and Brotli's growth has no limit
		return fmt.Errorf("%v compression, expected none, snappy, gzip or zstd; write it again with one of these, in Python: "+
			`from pyarrow import parquet as p; p.write_table(p.read_table("OLD"), "NEW", compression="zstd")`, codec)
	}
	n, err := io.CopyN(io.Discard, plain, most+1)
	if err == nil {
		return fmt.Errorf("bytes that grow to more than %d", n-1)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
