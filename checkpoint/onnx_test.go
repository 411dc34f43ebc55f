package checkpoint

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// image is channels × height × width, as ONNX has it.
type image struct {
	c, h, w int
	v       []float64
}

// pytorch returns a layer's tensor as PyTorch has it.
func pytorch(s model.State, l model.Layer, name string) []float32 {
	_, data := s.Get(l.Name + name).PyTorch()
	return data
}

// slid computes a convolution or a pooling from its definition.
func slid(l model.Layer, x image, s model.State) image {
	window := func(c int, at func(y, xx, c int) float64) image {
		out := image{c, (x.h+2*l.Pad[0]-l.Kernel)/l.Stride + 1, (x.w+2*l.Pad[1]-l.Kernel)/l.Stride + 1, nil}
		for o := range c {
			for y := range out.h {
				for xx := range out.w {
					out.v = append(out.v, at(y*l.Stride-l.Pad[0], xx*l.Stride-l.Pad[1], o))
				}
			}
		}
		return out
	}
	each := func(y0, x0, c int, do func(k int, v float64)) {
		for ky := range l.Kernel {
			for kx := range l.Kernel {
				if y, xx := y0+ky, x0+kx; y >= 0 && y < x.h && xx >= 0 && xx < x.w {
					do(ky*l.Kernel+kx, x.v[(c*x.h+y)*x.w+xx])
				}
			}
		}
	}
	if l.Kind == "maxpool" {
		return window(x.c, func(y0, x0, c int) float64 {
			best := math.Inf(-1)
			each(y0, x0, c, func(_ int, v float64) { best = max(best, v) })
			return best
		})
	}
	k, area := pytorch(s, l, ".weight"), l.Kernel*l.Kernel
	return window(len(k)/(x.c*area), func(y0, x0, o int) float64 {
		sum := 0.0
		for c := range x.c {
			each(y0, x0, c, func(at int, v float64) { sum += v * float64(k[(o*x.c+c)*area+at]) })
		}
		return sum
	})
}

// naive computes a layer from its definition, with tensors in PyTorch's layout.
func naive(t *testing.T, l model.Layer, in []image, s model.State) image {
	t.Helper()
	x := in[0]
	if l.Kind == "conv" || l.Kind == "maxpool" {
		return slid(l, x, s)
	}
	out := image{x.c, x.h, x.w, make([]float64, len(x.v))}
	area := x.h * x.w
	switch l.Kind {
	case "batchnorm":
		w, b, m, v := pytorch(s, l, ".weight"), pytorch(s, l, ".bias"), pytorch(s, l, ".running_mean"), pytorch(s, l, ".running_var")
		for i := range x.v {
			c := i / area
			out.v[i] = (x.v[i]-float64(m[c]))/math.Sqrt(float64(v[c])+1e-5)*float64(w[c]) + float64(b[c])
		}
	case "relu":
		for i := range x.v {
			out.v[i] = max(0, x.v[i])
		}
	case "add":
		for i := range x.v {
			out.v[i] = x.v[i] + in[1].v[i]
		}
	case "globalpool":
		out = image{x.c, 1, 1, make([]float64, x.c)}
		for i, v := range x.v {
			out.v[i/area] += v / float64(area)
		}
	case "linear":
		w, b := pytorch(s, l, ".weight"), pytorch(s, l, ".bias")
		out = image{len(b), 1, 1, make([]float64, len(b))}
		for o := range b {
			out.v[o] = float64(b[o])
			for c, v := range x.v {
				out.v[o] += v * float64(w[o*x.c+c])
			}
		}
	default:
		t.Fatalf("a layer of kind %q", l.Kind)
	}
	return out
}

// The layers that are exported compute what the network does.
func TestLayersAreTheNetwork(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	for k, arch := range append(model.Names(), "small-cnn", "small-cnn") {
		h, w, stem := 17, 25, 1 // neither a multiple of the stem's patches
		switch k - len(model.Names()) {
		case 0:
			stem = 2
		case 1:
			h, w, stem = 75, 101, model.StemFor(arch, 75, 101)
		}
		n, err := model.NewStem(arch, 5, h, w, stem)
		if err != nil {
			t.Fatal(err)
		}
		if stem > 1 {
			n.Normalize = &model.Normalize{Mean: [3]float32{0.4, 0.5, 0.6}, Std: [3]float32{0.2, 0.25, 0.3}}
		}
		s := n.Init(3)
		r := rng.Stream(1, "onnx test")
		for _, x := range s {
			if len(x.Dims) == 1 {
				for i := range x.Data {
					x.Data[i] = 0.5 + r.Float32()
				}
			}
		}
		set := &dataset.Set{Height: h, Width: w, Classes: make([]string, 5), Pixels: make([]uint8, h*w*3), Labels: []int32{0}}
		x := image{3, h, w, make([]float64, h*w*3)}
		for i := range set.Pixels {
			set.Pixels[i] = uint8(r.IntN(256))
			v, c := float64(set.Pixels[i])/255, i%3
			if n.Normalize != nil {
				v = (v - float64(n.Normalize.Mean[c])) / float64(n.Normalize.Std[c])
			}
			x.v[c*h*w+i/3] = v
		}
		layers, err := n.Layers()
		if err != nil {
			t.Fatal(err)
		}
		values := []image{x}
		for k, l := range layers {
			if l.Out != k+1 {
				t.Fatalf("%s: layer %d makes value %d", arch, k, l.Out)
			}
			var in []image
			for _, v := range l.In {
				in = append(in, values[v])
			}
			values = append(values, naive(t, l, in, s))
		}
		want := values[len(values)-1].v
		e, err := evaluate.New(b, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Load(s); err != nil {
			t.Fatal(err)
		}
		err = e.Logits(context.Background(), set, func(_ int, z []float32) {
			for c, v := range z {
				if math.Abs(float64(v)-want[c]) > 1e-3*(1+math.Abs(want[c])) {
					t.Errorf("%s: logit %d is %g, its layers give %g", arch, c, v, want[c])
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What is written is a protocol buffer with the fields that ONNX asks for.
func TestONNXIsWellFormed(t *testing.T) {
	n, err := model.New("wrn-16-1", 3, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	s := n.Init(0)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := WriteONNX(path, n, s, Info{Classes: []string{"a", "b", "c"}, Version: "x", Depth: 12}); err != nil {
		t.Fatal(err)
	}
	raw := testfile.Read(t, path)
	fields := func(b []byte) map[protowire.Number]int {
		count := map[protowire.Number]int{}
		for len(b) > 0 {
			num, kind, n := protowire.ConsumeTag(b)
			if n < 0 {
				t.Fatal("a broken tag")
			}
			m := protowire.ConsumeFieldValue(num, kind, b[n:])
			if m < 0 {
				t.Fatal("a broken field")
			}
			count[num]++
			if num == 7 && count[7] == 1 {
				g, _ := protowire.ConsumeBytes(b[n:])
				for k, v := range map[protowire.Number]int{2: 1, 5: len(s) + 1, 11: 1, 12: 2} {
					if got := func() int {
						total := 0
						for x := g; len(x) > 0; {
							num, kind, a := protowire.ConsumeTag(x)
							c := protowire.ConsumeFieldValue(num, kind, x[a:])
							if num == k {
								total++
							}
							x = x[a+c:]
						}
						return total
					}(); got != v {
						t.Errorf("the graph has field %d %d times, expected %d", k, got, v)
					}
				}
			}
			b = b[n+m:]
		}
		return count
	}
	if f := fields(raw); f[1] != 1 || f[7] != 1 || f[8] != 1 || f[14] != 7 {
		t.Errorf("the model's fields: %v", f)
	}
	for _, want := range []string{`["a","b","c"]`, "RGB", "Catmull-Rom, antialiased", "depth\x12\x0212"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%q is missing", want)
		}
	}
}
