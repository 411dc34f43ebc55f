package checkpoint

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strings"

	"github.com/unpoison/unpoison/internal/base/pickle"
)

// PyTorch's files: a zip archive (since 1.6) with data.pkl and a file for each storage, or the legacy
// stream of pickles. The pickle is read as data; nothing that it names is run.

// storageTypes maps PyTorch's storage classes to safetensors' names of types.
var storageTypes = map[string]string{
	"FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16", "BFloat16Storage": "BF16", "LongStorage": "I64",
	"IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "U8",
}

// torchFile is an open checkpoint whose pickle is read.
type torchFile struct {
	io.Closer
	sets []weightSet
}

// storages reads the first n bytes of a storage, by its key.
type storages func(key string, n int64) ([]byte, error)

func openTorch(name, weights string) (*torchFile, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	t, err := readTorch(f, weights)
	if err != nil {
		f.Close()
		return nil, err
	}
	t.Closer = f
	return t, nil
}

func readTorch(f *os.File, weights string) (*torchFile, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return nil, fmt.Errorf("expected a PyTorch checkpoint, found %d bytes", st.Size())
	}
	var v any
	var find storages
	if string(magic[:]) == "PK\x03\x04" {
		v, find, err = readTorchZip(f, st.Size())
	} else {
		v, find, err = readTorchLegacy(f, st.Size())
	}
	if err != nil {
		return nil, err
	}
	sets, err := collect(v, find, weights)
	return &torchFile{sets: sets}, err
}

const (
	// maxPickle bounds a checkpoint's pickle, which holds names and no numbers.
	maxPickle = 16 << 20
	// maxRatio bounds what comes out of a compressed file to the file itself, beyond a megabyte: weights hardly shrink.
	maxRatio = 50
)

// packed bounds what may come out of a file of an archive.
func packed(e *zip.File, size int64) int64 {
	if e.Method == zip.Store {
		return size
	}
	return 1<<20 + maxRatio*size
}

func readTorchZip(f io.ReaderAt, size int64) (any, storages, error) {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return nil, nil, err
	}
	files := map[string]*zip.File{}
	root := ""
	for _, e := range z.File {
		files[e.Name] = e
		if dir, file := path.Split(e.Name); file == "data.pkl" {
			root = dir
		}
	}
	p := files[root+"data.pkl"]
	if p == nil {
		return nil, nil, errors.New("expected a PyTorch checkpoint, found a zip archive without data.pkl")
	}
	if order := files[root+"byteorder"]; order != nil {
		b, err := readEntry(order, 16)
		if err != nil {
			return nil, nil, err
		}
		if string(b) != "little" {
			return nil, nil, fmt.Errorf("a checkpoint of byte order %q, expected little", b)
		}
	}
	raw, err := readEntry(p, maxPickle+1)
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > maxPickle {
		return nil, nil, fmt.Errorf("data.pkl of more than %d bytes", maxPickle)
	}
	v, err := pickle.Decode(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, nil, err
	}
	cache := map[string][]byte{}
	return v, func(key string, n int64) ([]byte, error) {
		if b := cache[key]; int64(len(b)) >= n {
			return b[:n], nil
		}
		e := files[root+"data/"+key]
		if e == nil {
			return nil, fmt.Errorf("storage %.50q is missing", key)
		}
		if n > packed(e, size) {
			return nil, fmt.Errorf("storage %.50q of %d bytes in a file of %d", key, n, size)
		}
		b, err := readEntry(e, n)
		if err == nil && int64(len(b)) < n {
			err = fmt.Errorf("storage %.50q is cut off", key)
		}
		clear(cache) // tensors of one storage mostly follow each other
		cache[key] = b
		return b, err
	}, nil
}

// readEntry reads up to limit bytes of an archive's file.
func readEntry(e *zip.File, limit int64) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, limit))
}

// readTorchLegacy reads the format before 1.6: magic number, version, machine, the object, the keys of
// its storages, and the storages themselves, each a count and its elements.
func readTorchLegacy(f io.ReaderAt, size int64) (any, storages, error) {
	c := &pickle.Counter{In: io.LimitReader(io.NewSectionReader(f, 0, size), maxPickle)}
	r := bufio.NewReader(c)
	var parts [5]any
	for i := range parts {
		var err error
		if parts[i], err = pickle.Decode(r); err != nil {
			return nil, nil, fmt.Errorf("expected a PyTorch checkpoint: %w", err)
		}
	}
	keys, ok := parts[4].(*pickle.List)
	if !ok {
		return nil, nil, fmt.Errorf("expected a PyTorch checkpoint, found %s for the list of storages", pickle.Kind(parts[4]))
	}
	widths := map[string]int64{}
	if err := eachStorage(parts[3], func(key string, width int64) { widths[key] = width }); err != nil {
		return nil, nil, err
	}
	type place struct{ at, size int64 }
	places := map[string]place{}
	at := c.N - int64(r.Buffered())
	for _, k := range keys.Items {
		key, ok := k.(string)
		width := widths[key]
		if !ok || width == 0 {
			return nil, nil, fmt.Errorf("storage %.50q belongs to no tensor", key)
		}
		var count [8]byte
		if _, err := f.ReadAt(count[:], at); err != nil {
			return nil, nil, errors.New("the storages are cut off")
		}
		n := binary.LittleEndian.Uint64(count[:])
		at += 8
		if n > math.MaxInt64 || int64(n) > (size-at)/width {
			return nil, nil, fmt.Errorf("storage %.50q of %d elements is cut off", key, n)
		}
		places[key] = place{at, int64(n) * width}
		at += int64(n) * width
	}
	return parts[3], func(key string, n int64) ([]byte, error) {
		p, ok := places[key]
		if !ok || n > p.size {
			return nil, fmt.Errorf("storage %.50q is missing or cut off", key)
		}
		b := make([]byte, n)
		_, err := f.ReadAt(b, p.at)
		return b, err
	}, nil
}

// torchTensor is what _rebuild_tensor_v2(storage, offset, size, stride, …) says.
type torchTensor struct {
	key          string
	kind         string // as safetensors names it
	offset       int64
	size, stride []int64
}

// describe checks a tensor's call. n is the number of its elements, end that of the storage's that it needs.
func describe(o *pickle.Object) (t *torchTensor, n, end int64, err error) {
	if len(o.Args) < 4 {
		return nil, 0, 0, errors.New("too few arguments")
	}
	key, kind, count, err := storageOf(o.Args[0])
	if err != nil {
		return nil, 0, 0, err
	}
	t = &torchTensor{key: key, kind: kind}
	var ok1, ok2, ok3 bool
	t.offset, ok1 = o.Args[1].(int64)
	t.size, ok2 = ints(o.Args[2])
	t.stride, ok3 = ints(o.Args[3])
	if !ok1 || !ok2 || !ok3 || len(t.size) != len(t.stride) || t.offset < 0 || t.offset > count {
		return nil, 0, 0, errors.New("expected offset, size and stride")
	}
	n = 1
	for i, d := range t.size {
		if d < 0 || t.stride[i] < 0 || d > 0 && n > count/d {
			return nil, 0, 0, fmt.Errorf("size %v of a storage of %d elements", t.size, count)
		}
		n *= d
	}
	if n == 0 {
		return t, 0, 0, nil
	}
	end = t.offset + 1
	for i, d := range t.size {
		if d > 1 && t.stride[i] > (count-end)/(d-1) {
			return nil, 0, 0, fmt.Errorf("size %v with stride %v reaches beyond the storage's %d elements", t.size, t.stride, count)
		}
		end += (d - 1) * t.stride[i]
	}
	if end > count {
		return nil, 0, 0, fmt.Errorf("size %v reaches beyond the storage's %d elements", t.size, count)
	}
	return t, n, end, nil
}

// storageOf takes a reference to a storage apart: ("storage", class, key, device, elements).
func storageOf(v any) (key, kind string, count int64, err error) {
	ref, ok1 := v.(pickle.Persistent)
	id, ok2 := ref.ID.(pickle.Tuple)
	if !ok1 || !ok2 || len(id) < 5 {
		return "", "", 0, errors.New("expected a reference to a storage")
	}
	class, ok1 := id[1].(pickle.Global)
	key, ok2 = id[2].(string)
	count, ok3 := id[4].(int64)
	kind = storageTypes[class.Name]
	if !ok1 || !ok2 || !ok3 || kind == "" {
		return "", "", 0, fmt.Errorf("a storage of %.50q, expected one of numbers", class.Name)
	}
	if count < 0 || count > math.MaxInt64/8 {
		return "", "", 0, fmt.Errorf("a storage of %d elements", count)
	}
	return key, kind, count, nil
}

// read gathers the elements in the order of their indices.
func (t *torchTensor) read(n, end int64, find storages) ([]float32, error) {
	width := int64(widths[t.kind])
	raw, err := find(t.key, end*width)
	if err != nil {
		return nil, err
	}
	data := make([]float32, n)
	idx := make([]int64, len(t.size))
	for k := range data {
		at := t.offset
		for i, x := range idx {
			at += x * t.stride[i]
		}
		data[k] = widen(t.kind, raw[at*width:])
		for i := len(idx) - 1; i >= 0; i-- {
			if idx[i]++; idx[i] < t.size[i] {
				break
			}
			idx[i] = 0
		}
	}
	return data, nil
}

func ints(v any) ([]int64, bool) {
	t, ok := v.(pickle.Tuple)
	if !ok || len(t) > maxRank {
		return nil, false
	}
	out := make([]int64, len(t))
	for i, x := range t {
		if out[i], ok = x.(int64); !ok {
			return nil, false
		}
	}
	return out, true
}

// unwrapped takes the prefixes off a name that wrappers add: DataParallel, compiled and averaged networks, Lightning's
// modules.
func unwrapped(name string) string {
	for range 8 {
		before := name
		for _, prefix := range []string{"module.", "_orig_mod.", "state_dict.", "model.", "net.", "network."} {
			name = strings.TrimPrefix(name, prefix)
		}
		if name == before {
			break
		}
	}
	return name
}
