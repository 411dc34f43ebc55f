package checkpoint

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/corpus"
	"github.com/unpoison/unpoison/internal/testkit/testfile"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
)

// Checkpoints that PyTorch wrote (testdata/make.py) give the logits that PyTorch computed.
func TestPyTorchCheckpoints(t *testing.T) {
	raw := testfile.Read(t, "testdata/logits.json")
	var want []float64
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	img := &dataset.Set{Height: 32, Width: 32, Classes: make([]string, 10), Pixels: make([]uint8, 32*32*3), Labels: []int32{0}}
	for i := range img.Pixels {
		img.Pixels[i] = uint8(i * 37)
	}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	for file, tolerance := range map[string]float64{"half.pt": 0.02, "nested.pth.tar": 0.02, "legacy.pth": 0.02, "bfloat16.pt": 0.1} {
		n, state, info, err := Load(filepath.Join("testdata", file))
		if err != nil {
			t.Error(err)
			continue
		}
		if n.Arch != "small-cnn" || n.Classes != 10 || len(info.Classes) != 0 {
			t.Errorf("%s: %s of %d classes, names %v", file, n.Arch, n.Classes, info.Classes)
		}
		e, err := evaluate.New(b, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Load(state); err != nil {
			t.Fatal(err)
		}
		err = e.Logits(context.Background(), img, func(_ int, z []float32) {
			for c, v := range z {
				if math.Abs(float64(v)-want[c]) > tolerance*(1+math.Abs(want[c])) {
					t.Errorf("%s: logit %d is %g, PyTorch has %g", file, c, v, want[c])
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedPyTorchCheckpoints(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, file := range []string{"half.pt", "legacy.pth"} {
		raw := testfile.Read(t, filepath.Join("testdata", file))
		for k := range 200 {
			broken := append([]byte(nil), raw...)
			if k < 100 {
				broken = broken[:r.IntN(len(raw))]
			} else {
				broken[r.IntN(2000)] ^= byte(1 + r.IntN(255)) // where the pickle lies
			}
			path := filepath.Join(t.TempDir(), "x.pt")
			testfile.Write(t, path, broken)
			_, _, _, err := Load(path)
			if k < 100 && err == nil {
				t.Errorf("%s cut to %d bytes was read", file, len(broken))
			}
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
		}
	}
}

func TestWhatDoesNotFitIsListed(t *testing.T) {
	arrays, err := readPyTorch("testdata/half.pt")
	if err != nil {
		t.Fatal(err)
	}
	delete(arrays, "bn2.bias")
	a := arrays["conv1.weight"]
	a.Dims = []int{16, 3, 9}
	arrays["conv1.weight"] = a
	arrays["head.weight"] = Array{[]int{1}, []float32{1}}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := WriteArrays(path, arrays, nil); err != nil {
		t.Fatal(err)
	}
	_, _, _, err = Load(path)
	for _, want := range []string{"small-cnn", "bn2.bias is missing", "conv1.weight has the shape [16 3 9], expected [16 3 3 3]", "head.weight is not known"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected something about %q", err, want)
		}
	}
}

// readPyTorch reads the tensors of a checkpoint, of several networks the first.
func readPyTorch(path string) (map[string]Array, error) {
	f, err := openTorch(path, "")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.sets[0].tensors.all()
}

func FuzzPyTorch(f *testing.F) {
	corpus.Add(f)
	for _, p := range []string{"testdata/half.pt", "testdata/legacy.pth"} {
		raw, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "x.pt")
		testfile.Write(t, path, raw)
		_, _ = readPyTorch(path)
	})
}
