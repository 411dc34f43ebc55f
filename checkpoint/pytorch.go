package checkpoint

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
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

// maxStorage bounds a storage's bytes.
const maxStorage = 8 << 30

// ReadPyTorch reads the tensors of a checkpoint by their names in its state_dict, alone or nested
// in a dictionary or a module, without the prefixes that wrappers add.
func ReadPyTorch(path string) (map[string]Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return nil, fmt.Errorf("%s: expected a PyTorch checkpoint, found %d bytes", path, st.Size())
	}
	var arrays map[string]Array
	if string(magic[:]) == "PK\x03\x04" {
		arrays, err = readTorchZip(f, st.Size())
	} else {
		arrays, err = readTorchLegacy(bufio.NewReaderSize(f, 1<<20))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return arrays, nil
}

// storages finds a storage's bytes by its key.
type storages func(key string, bytes int64) ([]byte, error)

func readTorchZip(f io.ReaderAt, size int64) (map[string]Array, error) {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return nil, err
	}
	files := map[string]*zip.File{}
	root := ""
	for _, e := range z.File {
		files[e.Name] = e
		if dir, ok := strings.CutSuffix(e.Name, "data.pkl"); ok {
			root = dir
		}
	}
	p := files[root+"data.pkl"]
	if p == nil {
		return nil, errors.New("expected a PyTorch checkpoint, found a zip archive without data.pkl")
	}
	if order := files[root+"byteorder"]; order != nil {
		b, err := readEntry(order, 16)
		if err != nil {
			return nil, err
		}
		if string(b) != "little" {
			return nil, fmt.Errorf("a checkpoint of byte order %q, expected little", b)
		}
	}
	r, err := p.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	v, err := pickle.Decode(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	cache := map[string][]byte{}
	return collect(v, func(key string, n int64) ([]byte, error) {
		if b, ok := cache[key]; ok {
			return b, nil
		}
		e := files[root+"data/"+key]
		if e == nil {
			return nil, fmt.Errorf("storage %s is missing", key)
		}
		b, err := readEntry(e, n)
		cache[key] = b
		return b, err
	})
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
func readTorchLegacy(r *bufio.Reader) (map[string]Array, error) {
	var parts [5]any
	for i := range parts {
		var err error
		if parts[i], err = pickle.Decode(r); err != nil {
			return nil, fmt.Errorf("expected a PyTorch checkpoint: %w", err)
		}
	}
	keys, ok := parts[4].(*pickle.List)
	if !ok {
		return nil, fmt.Errorf("expected a PyTorch checkpoint, found %T for the list of storages", parts[4])
	}
	widths := map[string]int64{}
	if _, err := collect(parts[3], func(key string, n int64) ([]byte, error) { // only to learn the sizes
		widths[key] = n
		return make([]byte, 0), errLater
	}); err != nil && !errors.Is(err, errLater) {
		return nil, err
	}
	data := map[string][]byte{}
	for _, k := range keys.Items {
		key := fmt.Sprint(k)
		var count [8]byte
		if _, err := io.ReadFull(r, count[:]); err != nil {
			return nil, errors.New("the storages are cut off")
		}
		n := binary.LittleEndian.Uint64(count[:])
		bytes, known := widths[key]
		if !known {
			return nil, fmt.Errorf("storage %s belongs to no tensor", key)
		}
		if n > maxStorage {
			return nil, fmt.Errorf("storage %s of %d elements", key, n)
		}
		b, err := io.ReadAll(io.LimitReader(r, bytes))
		if err != nil || int64(len(b)) < bytes {
			return nil, fmt.Errorf("storage %s is cut off", key)
		}
		data[key] = b
	}
	return collect(parts[3], func(key string, _ int64) ([]byte, error) {
		b, ok := data[key]
		if !ok {
			return nil, fmt.Errorf("storage %s is missing", key)
		}
		return b, nil
	})
}

var errLater = errors.New("read later")

// collect returns the tensors of the dictionary that holds most of them.
func collect(v any, find storages) (map[string]Array, error) {
	best := map[string]*pickle.Object{}
	seen := map[any]bool{}
	var look func(v any, depth int)
	look = func(v any, depth int) {
		if depth > 32 {
			return
		}
		switch x := v.(type) {
		case *pickle.Dict:
			if seen[x] {
				return
			}
			seen[x] = true
			found := map[string]*pickle.Object{}
			for i, k := range x.Keys {
				name, ok := k.(string)
				if o := tensorOf(x.Values[i]); ok && o != nil {
					found[name] = o
				} else {
					look(x.Values[i], depth+1)
				}
			}
			if len(found) > len(best) {
				best = found
			}
		case *pickle.Object:
			if seen[x] {
				return
			}
			seen[x] = true
			found := map[string]*pickle.Object{}
			module(x, "", found, 0)
			if len(found) > len(best) {
				best = found
			}
			look(x.State, depth+1)
		}
	}
	look(v, 0)
	if len(best) == 0 {
		return nil, errors.New("expected a PyTorch checkpoint with a state_dict, found no tensors")
	}
	arrays := map[string]Array{}
	var later error
	for name, o := range best {
		a, err := tensor(o, find)
		if errors.Is(err, errLater) {
			later = err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		for _, prefix := range []string{"module.", "_orig_mod.", "model.", "net."} {
			if rest, ok := strings.CutPrefix(name, prefix); ok {
				name = rest
			}
		}
		arrays[name] = a
	}
	return arrays, later
}

// module collects a pickled module's tensors.
func module(o *pickle.Object, prefix string, into map[string]*pickle.Object, depth int) {
	state, ok := o.State.(*pickle.Dict)
	if !ok || depth > 32 {
		return
	}
	for _, kind := range []string{"_parameters", "_buffers"} {
		if d, ok := state.Get(kind).(*pickle.Dict); ok {
			for i, k := range d.Keys {
				if name, ok := k.(string); ok {
					if t := tensorOf(d.Values[i]); t != nil {
						into[prefix+name] = t
					}
				}
			}
		}
	}
	if d, ok := state.Get("_modules").(*pickle.Dict); ok {
		for i, k := range d.Keys {
			if sub, ok := d.Values[i].(*pickle.Object); ok {
				if name, ok := k.(string); ok {
					module(sub, prefix+name+".", into, depth+1)
				}
			}
		}
	}
}

// tensorOf returns the call that rebuilds a tensor, seen through a parameter's, or nil.
func tensorOf(v any) *pickle.Object {
	for range 4 {
		o, ok := v.(*pickle.Object)
		if !ok || o.Class.Module != "torch._utils" || len(o.Args) == 0 {
			return nil
		}
		if strings.HasPrefix(o.Class.Name, "_rebuild_tensor") {
			return o
		}
		v = o.Args[0] // _rebuild_parameter
	}
	return nil
}

// tensor computes _rebuild_tensor_v2(storage, offset, size, stride, …).
func tensor(o *pickle.Object, find storages) (Array, error) {
	if len(o.Args) < 4 {
		return Array{}, errors.New("too few arguments")
	}
	ref, ok1 := o.Args[0].(pickle.Persistent)
	id, ok2 := ref.ID.(pickle.Tuple)
	if !ok1 || !ok2 || len(id) < 5 {
		return Array{}, errors.New("expected a reference to a storage")
	}
	class, ok1 := id[1].(pickle.Global)
	count, ok2 := id[4].(int64)
	kind := storageTypes[class.Name]
	if !ok1 || !ok2 || kind == "" {
		return Array{}, fmt.Errorf("a storage of %v", id[1])
	}
	width := int64(widths[kind])
	if count < 0 || count > maxStorage/width {
		return Array{}, fmt.Errorf("a storage of %d elements", count)
	}
	offset, ok1 := o.Args[1].(int64)
	size, ok2 := ints(o.Args[2])
	stride, ok3 := ints(o.Args[3])
	if !ok1 || !ok2 || !ok3 || len(size) != len(stride) || offset < 0 {
		return Array{}, errors.New("expected offset, size and stride")
	}
	n, last := int64(1), offset
	for i, d := range size {
		if d < 0 || stride[i] < 0 || d > 0 && n > count/d+1 {
			return Array{}, fmt.Errorf("size %v of %d elements", size, count)
		}
		n *= d
		if d > 0 {
			if stride[i] > count || d-1 > count {
				return Array{}, fmt.Errorf("stride %v of %d elements", stride, count)
			}
			last += (d - 1) * stride[i]
		}
	}
	raw, err := find(fmt.Sprint(id[2]), count*width)
	if err != nil {
		return Array{}, err
	}
	if n > 0 && last >= int64(len(raw))/width {
		return Array{}, fmt.Errorf("size %v reaches beyond the storage's %d bytes", size, len(raw))
	}
	a := Array{Data: make([]float32, n)}
	for _, d := range size {
		a.Dims = append(a.Dims, int(d))
	}
	idx := make([]int64, len(size))
	for k := range a.Data {
		at := offset
		for i, x := range idx {
			at += x * stride[i]
		}
		a.Data[k] = widen(kind, raw[at*width:])
		for i := len(idx) - 1; i >= 0; i-- {
			if idx[i]++; idx[i] < size[i] {
				break
			}
			idx[i] = 0
		}
	}
	return a, nil
}

func ints(v any) ([]int64, bool) {
	t, ok := v.(pickle.Tuple)
	if !ok {
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
