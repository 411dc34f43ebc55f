package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/internal/base/pickle"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
)

// put writes a file into a folder of its own.
func put(t *testing.T, name string, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	testfile.Write(t, path, raw)
	return path
}

// What is no file is named in words.
func TestNoFileIsSaid(t *testing.T) {
	for path, want := range map[string]string{t.TempDir(): "found a folder", os.DevNull: "found a device or a pipe"} {
		refused(t, path, "expected a file, "+want)
	}
}

// refused loads a file that has to be refused soon and with little memory.
func refused(t *testing.T, path, want string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	_, _, _, err := Load(path)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, expected something about %q", err, want)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 900<<20 || time.Since(start) > 20*time.Second {
		t.Errorf("%s: %d MB in %v", filepath.Base(path), used>>20, time.Since(start))
	}
}

// torchTuple is a call of _rebuild_tensor_v2.
func torchTuple(key string, count, offset int64, size, stride pickle.Tuple) *pickle.Object {
	storage := pickle.Tuple{"storage", pickle.Global{Module: "torch", Name: "FloatStorage"}, key, "cpu", count}
	return &pickle.Object{
		Class: pickle.Global{Module: "torch._utils", Name: "_rebuild_tensor_v2"},
		Args:  pickle.Tuple{pickle.Persistent{ID: storage}, offset, size, stride, false, &pickle.Dict{}},
	}
}

// torchZip writes a checkpoint whose storages are zeros, packed.
func torchZip(t *testing.T, state any, storages map[string]int64) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	p, err := z.Create("a/data.pkl")
	if err != nil {
		t.Fatal(err)
	}
	if err := pickle.Encode(p, state, false); err != nil {
		t.Fatal(err)
	}
	for key, size := range storages {
		w, err := z.Create("a/data/" + key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, size); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return put(t, "x.pt", b.Bytes())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func dict(pairs ...any) *pickle.Dict {
	d := &pickle.Dict{}
	for k := 0; k < len(pairs); k += 2 {
		d.Keys, d.Values = append(d.Keys, pairs[k]), append(d.Values, pairs[k+1])
	}
	return d
}

func TestHostilePyTorchFiles(t *testing.T) {
	one := pickle.Tuple{int64(0)}
	for name, o := range map[string]*pickle.Object{
		"stride 0":         torchTuple("0", 4, 0, pickle.Tuple{int64(1) << 33}, one),
		"stride 0, claims": torchTuple("0", 1<<40, 0, pickle.Tuple{int64(1) << 33}, one),
		"overflow":         torchTuple("0", math.MaxInt64/8, 0, pickle.Tuple{int64(1) << 31, int64(1) << 31}, pickle.Tuple{int64(1) << 31, int64(1)}),
		"strides overflow": torchTuple("0", math.MaxInt64, 0, slices.Repeat(pickle.Tuple{int64(2)}, 9), slices.Repeat(pickle.Tuple{int64(1)<<60 - 1}, 9)),
		"far":              torchTuple("0", 1<<40, 1<<39, pickle.Tuple{int64(2)}, pickle.Tuple{int64(1) << 38}),
		"negative":         torchTuple("0", 4, -1, pickle.Tuple{int64(2)}, pickle.Tuple{int64(-1)}),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, torchZip(t, dict("conv1.weight", o), map[string]int64{"0": 16}), "")
		})
	}
	// A network whose classifier has so many rows that zeros of 4 MB unpack to 4 GB.
	var pairs []any
	probes, err := probes()
	if err != nil {
		t.Fatal(err)
	}
	n := probes[slices.IndexFunc(probes, func(n *model.Network) bool { return n.Arch == "small-cnn" })]
	weight, bias := n.Spec().Classifier()
	count := int64(1) << 30
	for _, x := range n.Spec() {
		dims := slices.Clone(x.PyTorchDims())
		if x == weight || x == bias {
			dims[0] = maxClasses - 1
		}
		size, stride := make(pickle.Tuple, len(dims)), make(pickle.Tuple, len(dims))
		at := int64(1)
		for k := len(dims) - 1; k >= 0; k-- {
			size[k], stride[k] = int64(dims[k]), at
			at *= int64(dims[k])
		}
		if x == weight {
			stride[0] = int64(16000) // far apart: nearly all of the storage is needed
		}
		pairs = append(pairs, x.Name, torchTuple("0", count, 0, size, stride))
	}
	refused(t, torchZip(t, dict(pairs...), map[string]int64{"0": 1 << 30}), "in a file of")
	// Modules within modules, each twice: 2^40 of them.
	module := &pickle.Object{Class: pickle.Global{Module: "m", Name: "M"}, State: dict("_parameters", dict("w", torchTuple("0", 1, 0, pickle.Tuple{int64(1)}, pickle.Tuple{int64(1)})))}
	for range 40 {
		module = &pickle.Object{Class: module.Class, State: dict("_modules", dict("a", module, "b", module))}
	}
	if _, err := collect(module, nil, ""); !errors.Is(err, errTangled) {
		t.Errorf("shared modules: %v", err)
	}
	tuple := pickle.Tuple{}
	for range 64 {
		tuple = pickle.Tuple{tuple, tuple}
	}
	if err := eachStorage(tuple, func(string, int64) {}); !errors.Is(err, errTangled) {
		t.Errorf("shared tuples: %v", err)
	}
	if _, _, _, err := storageOf(pickle.Persistent{ID: pickle.Tuple{"storage", tuple, tuple, tuple, tuple}}); err == nil {
		t.Error("a storage of tuples")
	}
}

// file writes a safetensors file of a header and zeros.
func file(t *testing.T, header map[string]any, body int64) string {
	t.Helper()
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	path := put(t, "x.safetensors", append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...))
	if err := os.Truncate(path, int64(8+len(head))+body); err != nil { // sparse
		t.Fatal(err)
	}
	return path
}

func TestHostileSafetensors(t *testing.T) {
	tensor := func(shape []int, lo, hi int64) map[string]any {
		return map[string]any{"dtype": "U8", "shape": shape, "data_offsets": []int64{lo, hi}}
	}
	overlapping := map[string]any{}
	for k := range 200 {
		overlapping[fmt.Sprint(k)] = tensor([]int{1 << 24}, 0, 1<<24)
	}
	refused(t, file(t, overlapping, 1<<24), "overlap")
	refused(t, file(t, map[string]any{"a": tensor([]int{1 << 34}, 0, 1<<34)}, 1<<34), "no network")
	refused(t, file(t, map[string]any{"a": tensor([]int{4}, 0, 4)}, 1<<34), "expected 4 bytes of data")
	refused(t, file(t, map[string]any{"a": tensor([]int{4}, 4, 8)}, 8), "gaps")
	meta := map[string]string{"architecture": "wrn-16-1", "classes": `["a","b"]`, "height": "4096", "width": "4096"}
	refused(t, file(t, map[string]any{"__metadata__": meta, "a": tensor([]int{4}, 0, 4)}, 4), "4096×4096")
	meta["height"], meta["width"], meta["architecture"] = "32", "32", "small-cnn"
	refused(t, file(t, map[string]any{"__metadata__": meta, "a": tensor([]int{1 << 34}, 0, 1<<34)}, 1<<34), "not those of small-cnn")
	if _, err := os.Stat("/dev/zero"); err == nil {
		refused(t, "/dev/zero", "expected a file")
	}
}

// No flipped bit of a model gives another model, and none of a model of version 0.1 a panic.
func TestFlippedBitsAreFound(t *testing.T) {
	_, s, info := small(t)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := Save(path, s, info); err != nil {
		t.Fatal(err)
	}
	raw := testfile.Read(t, path)
	head := 8 + int(binary.LittleEndian.Uint64(raw))
	bad := filepath.Join(t.TempDir(), "bad")
	other := 0
	for k := range 700 {
		at := k * 8 * head / 500 // bits: 500 of the header, others of the data
		if k >= 500 {
			at = 8*head + (k-500)*8*(len(raw)-head)/200 + k%8
		}
		flipped := bytes.Clone(raw)
		flipped[at/8] ^= 1 << (at % 8)
		testfile.Write(t, bad, flipped)
		_, got, gotInfo, err := Load(bad)
		if err != nil {
			continue
		}
		same := gotInfo.Arch == info.Arch && slices.Equal(gotInfo.Classes, info.Classes) && gotInfo.Height == info.Height && gotInfo.Width == info.Width
		for i := range got {
			same = same && slices.Equal(got[i].Data, s[i].Data)
		}
		if !same {
			other++
			t.Logf("bit %d of byte %d, %q", at%8, at/8, raw[max(0, at/8-10):at/8+10])
		}
	}
	if other > 0 {
		t.Errorf("%d of 700 flipped bits gave another model", other)
	}
}

// A model of version 0.1 or of another program has no checksum and is read; one with numbers that are none is not.
func TestModelsWithoutAChecksum(t *testing.T) {
	_, s, info := small(t)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	save := func() {
		t.Helper()
		header := map[string]any{"__metadata__": map[string]string{"format": "pt", "architecture": info.Arch, "classes": `["a","b","c"]`, "height": "16", "width": "16", "unpoison": "0.1.0"}}
		var body []byte
		for _, x := range s {
			dims, data := x.PyTorch()
			at := len(body)
			for _, v := range data {
				body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
			}
			header[x.Name] = map[string]any{"dtype": "F32", "shape": dims, "data_offsets": []int{at, len(body)}}
		}
		head, err := json.Marshal(header)
		if err != nil {
			t.Fatal(err)
		}
		testfile.Write(t, path, append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), body...))
	}
	save()
	if _, got, _, err := Load(path); err != nil || !slices.Equal(got[0].Data, s[0].Data) {
		t.Errorf("a model of version 0.1: %v", err)
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		s[1].Data[0] = float32(v)
		save()
		refused(t, path, s[1].Name)
	}
}
