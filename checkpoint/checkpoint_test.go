package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/corpus"
	"github.com/unpoison/unpoison/internal/testkit/testfile"

	"github.com/unpoison/unpoison/model"
)

func small(t *testing.T) (*model.Network, model.State, Info) {
	t.Helper()
	n, err := model.New("small-cnn", 3, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	return n, n.Init(7), Info{Arch: "small-cnn", Classes: []string{"a", "b<&>", "c"}, Height: 16, Width: 16, Version: "test"}
}

func TestModelRoundTrip(t *testing.T) {
	_, s, info := small(t)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := Save(path, s, info); err != nil {
		t.Fatal(err)
	}
	n, got, gotInfo, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if n.Arch != info.Arch || !slices.Equal(gotInfo.Classes, info.Classes) {
		t.Errorf("got %+v", gotInfo)
	}
	for i := range s {
		if s[i].Name != got[i].Name || !slices.Equal(s[i].Data, got[i].Data) {
			t.Errorf("tensor %s changed", s[i].Name)
		}
	}
	first := testfile.Read(t, path)
	if err := Save(path, got, *gotInfo); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
		t.Error("the same model gives other bytes")
	}
}

// What is done to images before the first layer is kept with a model.
func TestNormalizationRoundTrip(t *testing.T) {
	_, s, info := small(t)
	info.Normalize = &model.Normalize{Mean: [3]float32{0.485, 0, -1e-9}, Std: [3]float32{0.229, 1, 1e9}}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := Save(path, s, info); err != nil {
		t.Fatal(err)
	}
	n, _, got, err := Load(path)
	if err != nil || got.Normalize == nil || *got.Normalize != *info.Normalize || n.Normalize == nil || *n.Normalize != *info.Normalize {
		t.Fatalf("%+v, %v", got, err)
	}
	arrays, meta, err := ReadArrays(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, std := range []string{"", "[1,1]", "[1,1,0]", `["1","1","1"]`, "[1,1,1e99]"} {
		meta["std"] = std
		if err := WriteArrays(path, arrays, meta); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := Load(path); err == nil || !strings.Contains(err.Error(), "a positive deviation of three colours") {
			t.Errorf("%q: %v", std, err)
		}
	}
}

// A network with a stem comes back with it, also where only the tensors tell. One without stays so at any size.
func TestStemRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	for _, stem := range []int{1, 2, 3} {
		n, err := model.NewStem("small-cnn", 3, 64, 48, stem)
		if err != nil {
			t.Fatal(err)
		}
		s := n.Init(7)
		info := Info{Arch: n.Arch, Classes: []string{"a", "b", "c"}, Height: 64, Width: 48}
		if err := Save(path, s, info); err != nil {
			t.Fatal(err)
		}
		got, state, _, err := Load(path)
		if err != nil || got.Stem != stem || got.Height != 64 || got.Width != 48 || state.Digest() != s.Digest() {
			t.Errorf("patches of %d: %+v, %v", stem, got, err)
		}
		arrays, _, err := ReadArrays(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteArrays(path, arrays, nil); err != nil {
			t.Fatal(err)
		}
		if got, _, _, err = Load(path); err != nil || got.Stem != stem || got.Height != 32*stem {
			t.Errorf("patches of %d, without metadata: %+v, %v", stem, got, err)
		}
	}
}

func TestLayoutIsPyTorchs(t *testing.T) {
	_, s, info := small(t)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := Save(path, s, info); err != nil {
		t.Fatal(err)
	}
	arrays, _, err := ReadArrays(path)
	if err != nil {
		t.Fatal(err)
	}
	conv, ours := arrays["conv1.weight"], s.Get("conv1.weight")
	if !slices.Equal(conv.Dims, []int{16, 3, 3, 3}) {
		t.Fatalf("conv1.weight is stored as %v, PyTorch has [16 3 3 3]", conv.Dims)
	}
	// [out, in, y, x] there, [y, x, in, out] here.
	o, i, y, x := 5, 2, 1, 0
	if conv.Data[((o*3+i)*3+y)*3+x] != ours.Data[((y*3+x)*3+i)*16+o] {
		t.Error("elements are not where PyTorch expects them")
	}
}

func TestBrokenModelIsNotWritten(t *testing.T) {
	_, s, info := small(t)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := Save(path, s, info); err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(path)
	s[0].Data[3] = float32(math.NaN())
	if err := Save(path, s, info); err == nil {
		t.Error("a model with a NaN was written")
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(good, now) {
		t.Error("the good model was replaced")
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("files were left behind: %v", entries)
	}
}

// TestDamage cuts the file at 100 places and flips 100 bytes: a clear error or a correct read.
func TestDamage(t *testing.T) {
	_, s, info := small(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	if err := Save(path, s, info); err != nil {
		t.Fatal(err)
	}
	raw := testfile.Read(t, path)
	bad := filepath.Join(dir, "bad")
	for k := range 100 {
		testfile.Write(t, bad, raw[:len(raw)*k/100])
		if _, _, _, err := Load(bad); err == nil {
			t.Errorf("a file cut at %d of %d bytes was accepted", len(raw)*k/100, len(raw))
		}
		flipped := bytes.Clone(raw)
		flipped[(k*k*37)%min(len(raw), 6000)] ^= byte(1 << (k % 8))
		testfile.Write(t, bad, flipped)
		_, _, _, _ = Load(bad) // must not panic
	}
}

func TestHalfPrecision(t *testing.T) {
	half := func(h uint16) float32 { return widen("F16", binary.LittleEndian.AppendUint16(nil, h)) }
	for h, want := range map[uint16]float32{0x3C00: 1, 0xC000: -2, 0x3555: 0.33325195, 0x0001: 5.9604645e-08, 0x7BFF: 65504, 0x8000: 0} {
		if got := half(h); got != want {
			t.Errorf("half(%#x) = %g, want %g", h, got, want)
		}
	}
	if !math.IsInf(float64(half(0x7C00)), 1) || !math.IsNaN(float64(half(0x7E00))) {
		t.Error("infinity or NaN is lost")
	}
}

func FuzzReadArrays(f *testing.F) {
	corpus.Add(f)
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte("\x40\x00\x00\x00\x00\x00\x00\x00{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}         abcd"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		f, err := readHeader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		arrays, err := f.read()
		if err != nil {
			return
		}
		for name, a := range arrays {
			n := 1
			for _, d := range a.Dims {
				n *= d
			}
			if n != len(a.Data) {
				t.Errorf("%s: %v holds %d elements", name, a.Dims, len(a.Data))
			}
		}
	})
}
