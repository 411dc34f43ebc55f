package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// onnxRuntime runs a model with onnxruntime. It is looked for in UNPOISON_ONNXRUNTIME, a folder in which
// `npm install onnxruntime-node` was run; without that variable the test is skipped.
func onnxRuntime(t *testing.T, path string, n, height, width int, pixels []uint8) (logits, probabilities [][]float64) {
	t.Helper()
	dir := os.Getenv("UNPOISON_ONNXRUNTIME")
	if dir == "" {
		t.Skip("UNPOISON_ONNXRUNTIME is not set: the export is not tried with onnxruntime")
	}
	cmd := exec.Command("node", filepath.Join("testdata", "onnxruntime.cjs"), path, fmt.Sprint(n), fmt.Sprint(height), fmt.Sprint(width))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	cmd.Stdin = bytes.NewReader(pixels)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("onnxruntime: %v\n%s", err, &stderr)
	}
	var out struct {
		Version               string
		Logits, Probabilities [][]float64
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("onnxruntime printed %q: %v", raw, err)
	}
	t.Logf("onnxruntime %s", out.Version)
	return out.Logits, out.Probabilities
}

// onnxruntime loads what is exported of every network and computes what our engine does, for a batch of any size.
func TestONNXRuntimeAgrees(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	const classes = 7
	for _, arch := range model.Names() {
		for _, c := range []struct{ n, h, w int }{{1, 32, 32}, {5, 32, 32}, {2, 75, 101}} { // the last with a stem that does not fit into them
			n, h, w := c.n, c.h, c.w
			t.Run(fmt.Sprintf("%s/%d of %d×%d", arch, n, w, h), func(t *testing.T) {
				net, err := model.New(arch, classes, h, w)
				if err != nil {
					t.Fatal(err)
				}
				if n > 1 {
					net.Normalize = &model.Normalize{Mean: [3]float32{0.4, 0.5, 0.6}, Std: [3]float32{0.2, 0.25, 0.3}}
				}
				r := rng.Stream(uint64(n), "onnxruntime test")
				s := net.Init(3)
				for _, x := range s {
					if len(x.Dims) == 1 { // running means and variances, scales and biases that matter
						for i := range x.Data {
							x.Data[i] = 0.5 + r.Float32()
						}
					}
				}
				set := &dataset.Set{
					Height: h, Width: w, Classes: make([]string, classes),
					Pixels: make([]uint8, n*h*w*3), Labels: make([]int32, n),
				}
				for c := range set.Classes {
					set.Classes[c] = fmt.Sprint("class ", c)
				}
				planes := make([]uint8, len(set.Pixels)) // [n, 3, height, width]
				for i := range set.Pixels {
					set.Pixels[i] = uint8(r.IntN(256))
					image, at := i/(h*w*3), i%(h*w*3)
					planes[image*h*w*3+at%3*h*w+at/3] = set.Pixels[i]
				}
				path := filepath.Join(t.TempDir(), "model.onnx")
				if err := WriteONNX(path, net, s, Info{Classes: set.Classes, Version: "test", Normalize: net.Normalize}); err != nil {
					t.Fatal(err)
				}
				logits, probabilities := onnxRuntime(t, path, n, h, w, planes)
				if len(logits) != n || len(probabilities) != n {
					t.Fatalf("%d and %d rows for %d images", len(logits), len(probabilities), n)
				}
				e, err := evaluate.New(b, net)
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Load(s); err != nil {
					t.Fatal(err)
				}
				err = e.Logits(context.Background(), set, func(i int, z []float32) {
					sum := 0.0
					for _, v := range z {
						sum += math.Exp(float64(v - z[0]))
					}
					for c, v := range z {
						if d := math.Abs(float64(v) - logits[i][c]); !(d <= 1e-4*max(1, math.Abs(float64(v)))) {
							t.Errorf("image %d: logit %d is %g, onnxruntime has %g", i, c, v, logits[i][c])
						}
						if p := math.Exp(float64(v-z[0])) / sum; !(math.Abs(p-probabilities[i][c]) <= 1e-4) {
							t.Errorf("image %d: probability %d is %g, onnxruntime has %g", i, c, p, probabilities[i][c])
						}
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
