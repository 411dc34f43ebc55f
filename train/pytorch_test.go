package train

import (
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// fill is reference.py's: numbers in [-0.5, 0.5) from a hash of position and name.
func fill(name string, n int) []float32 {
	seed := uint64(crc32.ChecksumIEEE([]byte(name)))
	v := make([]float32, n)
	for i := range v {
		h := (uint64(i)*2654435761 + seed) & 0xFFFFFFFF
		h = (h ^ h>>15) * 2246822519 & 0xFFFFFFFF
		h ^= h >> 13
		v[i] = float32(float64(h)/(1<<32) - 0.5)
	}
	return v
}

func referenceState(n *model.Network) model.State {
	s := n.Init(0)
	for _, t := range s {
		dims, _ := t.PyTorch()
		v := fill(t.Name, len(t.Data))
		fan := 1
		for _, d := range dims[1:] {
			fan *= d
		}
		normed := strings.Contains(t.Name, "bn") || strings.Contains(t.Name, "downsample.1")
		weak := float32(1)
		if n.Arch == "resnet-34" && (strings.Contains(t.Name, ".bn2.") || strings.Contains(t.Name, "downsample.1")) {
			weak = 0.25
		}
		for i := range v {
			switch {
			case strings.HasSuffix(t.Name, "running_var"):
				v[i]++
			case strings.HasSuffix(t.Name, "running_mean"):
				v[i] /= 4
			case normed && strings.HasSuffix(t.Name, "weight"):
				v[i] = weak * (1 + v[i]/2)
			case normed:
				v[i] = weak * (v[i] + float32(3-6*(i%2)))
			case len(dims) == 1:
				v[i] /= 2
			default:
				v[i] *= float32(math.Sqrt(24 / float64(fan)))
			}
		}
		t.SetPyTorch(v)
	}
	return s
}

type short struct {
	Head []float64
	Norm float64
}

type reference struct {
	Arch        string
	Batch, Side int
	EvalLogits  []float64 `json:"eval_logits"`
	TrainLogits []float64 `json:"train_logits"`
	Loss        float64
	Grads       map[string]short
	Stats       map[string]short
	SGDLosses   []float64 `json:"sgd_losses"`
}

// torchImages returns reference.py's input, turned from [N,C,H,W] to [N,H,W,C], and labels.
func torchImages(batch, side int) ([]float32, []int32) {
	in := fill("input", batch*3*side*side)
	x := make([]float32, len(in))
	for n := range batch {
		for c := range 3 {
			for p := range side * side {
				x[(n*side*side+p)*3+c] = in[(n*3+c)*side*side+p] + 0.5
			}
		}
	}
	y := make([]int32, batch)
	for i := range y {
		y[i] = int32(i * 7 % 10)
	}
	return x, y
}

func near(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	scale := 0.0
	for _, w := range want {
		scale = math.Max(scale, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); d > tol*scale || math.IsNaN(float64(got[i])) {
			t.Errorf("%s[%d] is %g, PyTorch's %g", what, i, got[i], w)
			return
		}
	}
}

func norm(v []float32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s)
}

func inputs(t *testing.T, b backends.Backend, p *gx.Program, data ...[]float32) (in, out []backends.Buffer) {
	t.Helper()
	for i, s := range p.Inputs() {
		buf, err := gx.NewBuffer(b, s)
		if err != nil {
			t.Fatal(err)
		}
		if i < len(data) {
			if buf, err = gx.Write(b, buf, data[i]); err != nil {
				t.Fatal(err)
			}
		}
		in = append(in, buf)
	}
	for _, s := range p.Outputs() {
		buf, err := gx.NewBuffer(b, s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, buf)
	}
	return in, out
}

func read(t *testing.T, b backends.Backend, buf backends.Buffer) []float32 {
	t.Helper()
	s, err := b.BufferShape(buf)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, s.Size())
	if err := gx.Read(b, buf, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAgreesWithPyTorch(t *testing.T) {
	files, _ := filepath.Glob("../model/testdata/*.json")
	if len(files) < 5 {
		t.Fatalf("found %d reference files, expected 5", len(files))
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var ref reference
		if err := json.Unmarshal(raw, &ref); err != nil {
			t.Fatal(err)
		}
		t.Run(ref.Arch, func(t *testing.T) {
			if cpu.InstructionSet() == "generic" && ref.Side > 32 {
				t.Skip("224 px takes minutes without vector kernels")
			}
			agree(t, ref)
		})
	}
}

func agree(t *testing.T, ref reference) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New(ref.Arch, 10, ref.Side, ref.Side)
	if err != nil {
		t.Fatal(err)
	}
	state := referenceState(n)
	x, y := torchImages(ref.Batch, ref.Side)
	var weights []string
	build := func(training bool) *gx.Program {
		p, err := gx.Compile(b, "reference", func(g *graph.Graph) []*graph.Node {
			net := n.Graph(g, training, func() *graph.Node {
				return graph.Parameter(g, "x", shapes.Make(dtypes.Float32, ref.Batch, ref.Side, ref.Side, 3))
			})
			if !training {
				return []*graph.Node{net.Logits}
			}
			labels := graph.Parameter(g, "y", shapes.Make(dtypes.Int32, ref.Batch))
			loss := graph.ReduceAllMean(CrossEntropy(net.Logits, labels))
			var params []*graph.Node
			outs := []*graph.Node{net.Logits, loss}
			weights = nil
			for _, s := range n.Spec() {
				if s.Kind == model.Weight {
					params = append(params, net.Params[s.Name])
					weights = append(weights, s.Name)
				} else {
					outs = append(outs, net.Updates[s.Name])
				}
			}
			return append(outs, graph.Gradient(loss, params...)...)
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	data := make([][]float32, 0, len(state)+1)
	for _, s := range state {
		data = append(data, s.Data)
	}
	data = append(data, x)

	eval := build(false)
	in, out := inputs(t, b, eval, data...)
	if err := eval.Run(in, out); err != nil {
		t.Fatal(err)
	}
	near(t, "evaluation logits", read(t, b, out[0]), ref.EvalLogits, 2e-5)

	tr := build(true)
	in, out = inputs(t, b, tr, data...)
	if in[len(in)-1], err = gx.Write(b, in[len(in)-1], y); err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(in, out); err != nil {
		t.Fatal(err)
	}
	near(t, "training logits", read(t, b, out[0]), ref.TrainLogits, 2e-5)
	near(t, "loss", read(t, b, out[1]), []float64{ref.Loss}, 1e-5)
	k := 2
	for _, s := range n.Spec() {
		if s.Kind == model.Buffer {
			want := ref.Stats[s.Name]
			near(t, s.Name, read(t, b, out[k]), want.Head, 1e-4)
			k++
		}
	}
	floor := 0.0 // gradients that cancel to almost nothing are compared on the scale of the whole
	for _, w := range ref.Grads {
		floor = math.Max(floor, 1e-7*w.Norm)
	}
	for i, name := range weights {
		g := &model.Tensor{Dims: state.Get(name).Dims, Data: read(t, b, out[k+i])}
		want := ref.Grads[name]
		_, torch := g.PyTorch()
		if d := math.Abs(norm(torch) - want.Norm); d > 1e-4*want.Norm+floor {
			t.Errorf("gradient of %s has norm %g, PyTorch's %g", name, norm(torch), want.Norm)
		}
		rms := want.Norm / math.Sqrt(float64(len(torch)))
		for j, w := range want.Head {
			if j < len(torch) && math.Abs(float64(torch[j])-w) > 1e-4*math.Max(rms, math.Abs(w))+floor {
				t.Errorf("gradient of %s[%d] is %g, PyTorch's %g", name, j, torch[j], w)
			}
		}
	}

	step, err := NewClassifier(b, n, state, ref.Batch, DefaultSGD, Mean)
	if err != nil {
		t.Fatal(err)
	}
	ones := make([]float32, ref.Batch)
	for i := range ones {
		ones[i] = 1
	}
	for i, want := range ref.SGDLosses {
		got, err := step.Step([]float64{0.01}, x, y, ones)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-want) > 1e-3*math.Max(1, want) {
			t.Errorf("loss after %d steps is %g, PyTorch's %g", i, got, want)
		}
	}
}
