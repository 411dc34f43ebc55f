// Package checkpoint stores networks: as safetensors with PyTorch's names and layouts.
package checkpoint

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/x448/float16"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// Array is a named float32 array of a file.
type Array struct {
	Dims []int
	Data []float32
}

// maxHeader bounds what a damaged length may ask to read (the format's own limit).
const maxHeader = 100 << 20

// writeBytes of an array are encoded at a time.
const writeBytes = 64 << 10

// maxRank bounds a tensor's dimensions.
const maxRank = 16

type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// WriteArrays stores arrays and metadata as a safetensors file that appears whole or not at all, with a checksum of both
// in the metadata. The same content gives the same bytes.
func WriteArrays(path string, arrays map[string]Array, meta map[string]string) error {
	meta = maps.Clone(meta)
	if meta == nil {
		meta = map[string]string{}
	}
	meta[checksumKey] = checksum(arrays, meta)
	header := map[string]any{"__metadata__": meta}
	names := slices.Sorted(maps.Keys(arrays))
	at := int64(0)
	for _, n := range names {
		a := arrays[n]
		dims := a.Dims
		if dims == nil {
			dims = []int{}
		}
		header[n] = entry{"F32", dims, [2]int64{at, at + 4*int64(len(a.Data))}}
		at += 4 * int64(len(a.Data))
	}
	head, err := json.Marshal(header) // sorts the names
	if err != nil {
		return err
	}
	head = append(head, strings.Repeat(" ", (8-len(head)%8)%8)...)
	if len(head) > maxHeader {
		return fmt.Errorf("%s: the names of %d arrays, with what is known of them, take %d bytes, a safetensors header has up to %d", path, len(names), len(head), maxHeader)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(head)))
		if _, err := w.Write(n[:]); err != nil {
			return err
		}
		if _, err := w.Write(head); err != nil {
			return err
		}
		buf := make([]byte, 0, writeBytes)
		for _, name := range names {
			for part := range slices.Chunk(arrays[name].Data, writeBytes/4) {
				buf = buf[:0]
				for _, v := range part {
					buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
				}
				if _, err := w.Write(buf); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// ReadArrays reads a safetensors file. Half-precision arrays are widened. A file with a checksum is compared with it.
func ReadArrays(path string) (arrays map[string]Array, meta map[string]string, err error) {
	f, err := openArrays(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if arrays, err = f.read(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return arrays, f.meta, nil
}

// arrayFile is an open safetensors file whose header is read.
type arrayFile struct {
	io.Closer
	tensors tensors
	meta    map[string]string
}

func openArrays(path string) (*arrayFile, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	a, err := readHeader(f, st.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a.Closer = f
	return a, nil
}

// openRegular opens a file and refuses devices and pipes, which may never end.
func openRegular(path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case st.IsDir():
		return nil, fmt.Errorf("%s: expected a file, found a folder", path)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: expected a file, found a device or a pipe", path)
	}
	return os.Open(path)
}

// read reads all arrays and compares them with the checksum, if there is one.
func (f *arrayFile) read() (map[string]Array, error) {
	arrays, err := f.tensors.all()
	if err != nil {
		return nil, err
	}
	return arrays, verify(arrays, f.meta)
}

// readHeader reads a header and checks that its arrays cover the data, each byte once.
func readHeader(r io.ReaderAt, size int64) (*arrayFile, error) {
	var n [8]byte
	if _, err := r.ReadAt(n[:], 0); err != nil {
		return nil, fmt.Errorf("expected a safetensors file, found %d bytes", size)
	}
	length := binary.LittleEndian.Uint64(n[:])
	if length > maxHeader || int64(length) > size-8 {
		return nil, fmt.Errorf("expected a safetensors file or a PyTorch checkpoint: for a safetensors header of up to %d bytes there is the length %d", min(maxHeader, size-8), length)
	}
	head := make([]byte, length)
	if _, err := r.ReadAt(head, 8); err != nil {
		return nil, fmt.Errorf("the header is cut off: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(head, &raw); err != nil {
		return nil, fmt.Errorf("the header is no JSON: %w", err)
	}
	at, body := 8+int64(length), size-8-int64(length)
	f := &arrayFile{tensors: tensors{}, meta: map[string]string{}}
	var ends [][2]int64
	for name, msg := range raw {
		if name == "__metadata__" {
			if err := json.Unmarshal(msg, &f.meta); err != nil {
				return nil, fmt.Errorf("the metadata is not text: %w", err)
			}
			continue
		}
		var e entry
		if err := json.Unmarshal(msg, &e); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		t, err := e.tensor(io.NewSectionReader(r, at, body), body)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		f.tensors[name] = t
		ends = append(ends, e.Offsets)
	}
	slices.SortFunc(ends, func(a, b [2]int64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	covered := int64(0)
	for _, e := range ends {
		if e[0] != covered {
			return nil, fmt.Errorf("expected a tensor from byte %d of the data on, found one from byte %d: tensors overlap or leave gaps", covered, e[0])
		}
		covered = e[1]
	}
	if covered != body {
		return nil, fmt.Errorf("expected %d bytes of data, as the tensors say, found %d", covered, body)
	}
	return f, nil
}

// tensor checks an entry against the bytes that there are.
func (e entry) tensor(data *io.SectionReader, size int64) (tensor, error) {
	width := int64(widths[e.DType])
	if width == 0 {
		return tensor{}, fmt.Errorf("expected the type F32, F64, F16, BF16 or an integer, found %.20q", e.DType)
	}
	lo, hi := e.Offsets[0], e.Offsets[1]
	if lo < 0 || hi < lo || hi > size {
		return tensor{}, fmt.Errorf("expected offsets within %d bytes of data, found %d to %d", size, lo, hi)
	}
	if len(e.Shape) > maxRank {
		return tensor{}, fmt.Errorf("%d dimensions, expected up to %d", len(e.Shape), maxRank)
	}
	n := int64(1)
	for _, d := range e.Shape {
		if d < 0 || d > 0 && n > size/int64(d) {
			return tensor{}, fmt.Errorf("shape %v does not fit into %d bytes", e.Shape, hi-lo)
		}
		n *= int64(d)
	}
	if n*width != hi-lo {
		return tensor{}, fmt.Errorf("shape %v needs %d bytes, found %d", e.Shape, n*width, hi-lo)
	}
	return tensor{dims: e.Shape, count: n, read: func() ([]float32, error) {
		out := make([]float32, n)
		buf := make([]byte, min(n, 1<<16)*width)
		for done := int64(0); done < n; {
			k := min(n-done, int64(len(buf))/width)
			if _, err := data.ReadAt(buf[:k*width], lo+done*width); err != nil {
				return nil, fmt.Errorf("the data is cut off: %w", err)
			}
			for i := range k {
				out[done+i] = widen(e.DType, buf[i*width:])
			}
			done += k
		}
		return out, nil
	}}, nil
}

// widths are the bytes of a type's elements.
var widths = map[string]int{"F32": 4, "F64": 8, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}

// widen reads the first element of raw.
func widen(kind string, raw []byte) float32 {
	switch kind {
	case "F32":
		return math.Float32frombits(binary.LittleEndian.Uint32(raw))
	case "F64":
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(raw)))
	case "BF16":
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw)) << 16)
	case "F16":
		return float16.Frombits(binary.LittleEndian.Uint16(raw)).Float32()
	case "I64":
		return float32(int64(binary.LittleEndian.Uint64(raw)))
	case "I32":
		return float32(int32(binary.LittleEndian.Uint32(raw)))
	case "I16":
		return float32(int16(binary.LittleEndian.Uint16(raw)))
	case "I8":
		return float32(int8(raw[0]))
	}
	return float32(raw[0])
}
