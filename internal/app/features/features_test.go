package features

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
)

const side = 32

// images are as many as asked for, the first four of testdata/reference.cjs again and again.
func images(n int) *dataset.Set {
	s := &dataset.Set{Height: side, Width: side, Classes: []string{"a"}, Labels: make([]int32, n)}
	for i := range n {
		for k := range side * side * 3 {
			s.Pixels = append(s.Pixels, uint8(k*(2*(i%4)+1)*37+(k>>5)*(i%4+3)*11))
		}
	}
	return s
}

func engine(t *testing.T) *cpu.Backend {
	t.Helper()
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// made writes features and reads them as an audit does.
func made(t *testing.T, file, tensor string, set *dataset.Set, o Options) (*dataset.Features, Done) {
	t.Helper()
	n, err := Open(file, tensor)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "f.npy")
	done, err := n.Write(context.Background(), engine(t), set, out, o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := dataset.LoadFeatures(out, set, dataset.FeatureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Width != done.Width || f.Len() != set.Len() {
		t.Fatalf("%d×%d features for %d images, %d numbers were said", f.Len(), f.Width, set.Len(), done.Width)
	}
	return f, done
}

func imagenet(t *testing.T) Normalize {
	t.Helper()
	n, err := ParseNormalize("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// near compares rows.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, expected %d", what, len(got), len(want))
	}
	for k, v := range got {
		if d := math.Abs(float64(v - want[k])); !(d <= 1e-4*max(1, math.Abs(float64(want[k])))) {
			t.Errorf("%s: number %d is %g, expected %g", what, k, v, want[k])
		}
	}
}

// Networks that PyTorch exported give what onnxruntime computes, whatever the number of images.
func TestAgreesWithOnnxruntime(t *testing.T) {
	raw := testfile.Read(t, "testdata/reference.json")
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	type tensor struct {
		Dims []int
		Data []float32
	}
	for _, c := range []struct{ file, tensor, pool, kept string }{
		{"resnet", "logits", "", ""},
		{"vit", "features", Mean, ""},
		{"vit", "tokens", "", "the first of 17 tokens"},
		{"vit", "tokens", Mean, "the mean of 17 tokens"},
		{"vit-last", "features", "", ""},
	} {
		var outputs map[string]tensor
		if err := json.Unmarshal(all[c.file], &outputs); err != nil {
			t.Fatal(err)
		}
		want := outputs[c.tensor]
		width := want.Dims[len(want.Dims)-1]
		tokens := len(want.Data) / want.Dims[0] / width
		used := 1
		if c.pool == Mean {
			used = tokens
		}
		f, done := made(t, "testdata/"+c.file+".onnx", c.tensor, images(37), Options{Normalize: imagenet(t), Pool: c.pool})
		if done.Kept != c.kept || !strings.HasPrefix(done.Engine, "cpu") {
			t.Errorf("%s, %s: %+v", c.file, c.tensor, done)
		}
		for i := range f.Len() {
			row := make([]float32, width)
			for k := range used * width {
				row[k%width] += want.Data[i%4*tokens*width+k] / float32(used)
			}
			near(t, fmt.Sprintf("%s, %s, image %d", c.file, c.tensor, i), f.At(i), row)
		}
	}
}

// Tensors within a network can be taken; maps are averaged.
func TestTensorsWithin(t *testing.T) {
	set, o := images(5), Options{Normalize: imagenet(t)}
	maps, done := made(t, "testdata/resnet.onnx", "/layers/layers.8/relu_1/Relu_output_0", set, o)
	if maps.Width != 16 || done.Kept != "the mean over 2×2 places" {
		t.Errorf("%d numbers, %q kept", maps.Width, done.Kept)
	}
	flat, done := made(t, "testdata/resnet.onnx", "/Flatten_output_0", set, o)
	pooled, _ := made(t, "testdata/resnet.onnx", "/pool/GlobalAveragePool_output_0", set, o)
	if flat.Width != 16 || done.Kept != "" {
		t.Errorf("%d numbers, %q kept", flat.Width, done.Kept)
	}
	for i := range set.Len() {
		near(t, "before the classifier", flat.At(i), pooled.At(i))
	}
}

// What unpoison exports gives what the network does.
func TestOwnExports(t *testing.T) {
	for _, arch := range []string{"small-cnn", "wrn-16-1"} {
		net, err := model.New(arch, 7, side, side)
		if err != nil {
			t.Fatal(err)
		}
		norm := imagenet(t)
		net.Normalize = &norm
		state, file, set := net.Init(3), filepath.Join(t.TempDir(), "m.onnx"), images(4)
		if err := checkpoint.WriteONNX(file, net, state, checkpoint.Info{Classes: make([]string, 7), Normalize: net.Normalize}); err != nil {
			t.Fatal(err)
		}
		n, err := Open(file, "")
		if err != nil {
			t.Fatal(err)
		}
		if h, w := n.Size(); h != side || w != side || !n.TakesBytes() {
			t.Errorf("%s takes %d×%d, bytes: %v", arch, w, h, n.TakesBytes())
		}
		f, _ := made(t, file, "", set, Options{})
		e, err := evaluate.Of(engine(t), net, state)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Logits(context.Background(), set, func(i int, z []float32) { near(t, arch, f.At(i), z) }); err != nil {
			t.Fatal(err)
		}
	}
}

// Features that say nothing are refused, and an interrupt or an error leaves no file.
func TestNothingIsLeft(t *testing.T) {
	n, err := Open("testdata/resnet.onnx", "")
	if err != nil {
		t.Fatal(err)
	}
	black := images(3)
	clear(black.Pixels)
	small := images(2)
	small.Height, small.Width = side/2, side*2
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	fine := imagenet(t)
	endless := fine
	endless.Std[1] = 1e-45
	for says, c := range map[string]struct {
		ctx context.Context
		set *dataset.Set
		n   Normalize
	}{
		"all 3 images have the same features":         {context.Background(), black, fine},
		"image 0: feature 0 is NaN":                   {context.Background(), images(3), endless},
		"takes images of 32×32 pixels, the data have": {context.Background(), small, fine},
		"context canceled":                            {ended, images(3), fine},
	} {
		dir := t.TempDir()
		_, err := n.Write(c.ctx, engine(t), c.set, filepath.Join(dir, "f.npy"), Options{Normalize: c.n})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, expected %q", err, says)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %v is left", says, left)
		}
	}
}

func TestNormalize(t *testing.T) {
	for text, want := range map[string]Normalize{
		"none":              {Std: [3]float32{1, 1, 1}},
		"0.5/0.25":          {Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}},
		"0.1,0.2,0.3/1,2,4": {Mean: [3]float32{0.1, 0.2, 0.3}, Std: [3]float32{1, 2, 4}},
	} {
		if got, err := ParseNormalize(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "0.5", "0.5/0", "1,2/1", "nan/1", "0.5/1/1", "0/1e-60", "0/inf"} {
		if got, err := ParseNormalize(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
