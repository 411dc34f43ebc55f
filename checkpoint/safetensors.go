// Package checkpoint stores networks: as safetensors with PyTorch's names and layouts.
package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// Array is a named float32 array of a file.
type Array struct {
	Dims []int
	Data []float32
}

// maxHeader bounds what a damaged length may ask to read (the format's own limit).
const maxHeader = 100 << 20

type entry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// WriteArrays stores arrays and metadata as a safetensors file that appears whole or not at all.
// The same content gives the same bytes.
func WriteArrays(path string, arrays map[string]Array, meta map[string]string) error {
	header := map[string]any{}
	if len(meta) > 0 {
		header["__metadata__"] = meta
	}
	names := slices.Sorted(maps.Keys(arrays))
	at := 0
	for _, n := range names {
		a := arrays[n]
		dims := a.Dims
		if dims == nil {
			dims = []int{}
		}
		header[n] = entry{"F32", dims, [2]int{at, at + 4*len(a.Data)}}
		at += 4 * len(a.Data)
	}
	head, err := json.Marshal(header) // sorts the names
	if err != nil {
		return err
	}
	head = append(head, strings.Repeat(" ", (8-len(head)%8)%8)...)
	return atomicfile.Write(path, func(w io.Writer) error {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(head)))
		if _, err := w.Write(n[:]); err != nil {
			return err
		}
		if _, err := w.Write(head); err != nil {
			return err
		}
		for _, name := range names {
			buf := make([]byte, 0, 4*len(arrays[name].Data))
			for _, v := range arrays[name].Data {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadArrays reads a safetensors file. Half-precision arrays are widened.
func ReadArrays(path string) (arrays map[string]Array, meta map[string]string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	arrays, meta, err = readArrays(f, st.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return arrays, meta, nil
}

func readArrays(r io.Reader, size int64) (map[string]Array, map[string]string, error) {
	var n [8]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, nil, fmt.Errorf("expected a safetensors file, found %d bytes", size)
	}
	length := binary.LittleEndian.Uint64(n[:])
	if length > maxHeader || int64(length) > size-8 {
		return nil, nil, fmt.Errorf("expected a safetensors header of up to %d bytes, found the length %d", size-8, length)
	}
	head := make([]byte, length)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, nil, fmt.Errorf("the header is cut off: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(head, &raw); err != nil {
		return nil, nil, fmt.Errorf("the header is no JSON: %w", err)
	}
	body := make([]byte, size-8-int64(length))
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, nil, fmt.Errorf("the data is cut off: %w", err)
	}
	var meta map[string]string
	arrays := make(map[string]Array, len(raw))
	for name, msg := range raw {
		if name == "__metadata__" {
			if err := json.Unmarshal(msg, &meta); err != nil {
				return nil, nil, fmt.Errorf("the metadata is not text: %w", err)
			}
			continue
		}
		var e entry
		if err := json.Unmarshal(msg, &e); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		a, err := e.decode(body)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		arrays[name] = a
	}
	return arrays, meta, nil
}

func (e entry) decode(body []byte) (Array, error) {
	width := widths[e.DType]
	if width == 0 {
		return Array{}, fmt.Errorf("expected the type F32, F64, F16, BF16 or an integer, found %q", e.DType)
	}
	lo, hi := e.Offsets[0], e.Offsets[1]
	if lo < 0 || hi < lo || hi > len(body) {
		return Array{}, fmt.Errorf("expected offsets within %d bytes of data, found %d to %d", len(body), lo, hi)
	}
	n := 1
	for _, d := range e.Shape {
		if d < 0 || d > 0 && n > len(body)/d {
			return Array{}, fmt.Errorf("shape %v does not fit into %d bytes", e.Shape, hi-lo)
		}
		n *= d
	}
	if n*width != hi-lo {
		return Array{}, fmt.Errorf("shape %v needs %d bytes, found %d", e.Shape, n*width, hi-lo)
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = widen(e.DType, body[lo+i*width:])
	}
	return Array{e.Shape, data}, nil
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
		return half(binary.LittleEndian.Uint16(raw))
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

// half widens an IEEE 754 binary16.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0:
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7F800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
