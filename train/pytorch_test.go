package train

import (
	"encoding/json"
	"hash/crc32"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
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

func TestAgreesWithPyTorch(t *testing.T) {
	files, _ := filepath.Glob("../model/testdata/*.json")
	if len(files) < 5 {
		t.Fatalf("found %d reference files, expected 5", len(files))
	}
	for _, f := range files {
		raw := testfile.Read(t, f)
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

// agreement compares a network with PyTorch's.
type agreement struct {
	ref   reference
	b     backends.Backend
	n     *model.Network
	state model.State
	x     []float32
	y     []int32
}

func agree(t *testing.T, ref reference) {
	a := &agreement{ref: ref}
	var err error
	if a.b, err = cpu.New(""); err != nil {
		t.Fatal(err)
	}
	if a.n, err = model.New(ref.Arch, 10, ref.Side, ref.Side); err != nil {
		t.Fatal(err)
	}
	a.state = referenceState(a.n)
	a.x, a.y = torchImages(ref.Batch, ref.Side)
	a.evaluation(t)
	a.gradients(t)
	a.steps(t)
}

// evaluation compares the logits with running statistics.
func (a *agreement) evaluation(t *testing.T) {
	f, err := gx.NewFunction(a.b, "evaluation", 0, func(g *graph.Graph) []*graph.Node {
		return []*graph.Node{a.n.Graph(g, false, a.images(g)).Logits}
	})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "evaluation logits", a.call(t, f, a.x)(0), a.ref.EvalLogits, 2e-5)
}

// gradients compares logits and loss in training, the running statistics after it, and the gradients.
func (a *agreement) gradients(t *testing.T) {
	var weights, buffers []string
	f, err := gx.NewFunction(a.b, "training", 0, func(g *graph.Graph) []*graph.Node {
		net := a.n.Graph(g, true, a.images(g))
		labels := graph.Parameter(g, "y", shapes.Make(dtypes.Int32, a.ref.Batch))
		loss := graph.ReduceAllMean(CrossEntropy(net.Logits, labels))
		var params []*graph.Node
		outs := []*graph.Node{net.Logits, loss}
		for _, s := range a.n.Spec() {
			if s.Kind == model.Weight {
				params, weights = append(params, net.Params[s.Name]), append(weights, s.Name)
			} else {
				outs, buffers = append(outs, net.Updates[s.Name]), append(buffers, s.Name)
			}
		}
		return append(outs, graph.Gradient(loss, params...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	out := a.call(t, f, a.x, a.y)
	near(t, "training logits", out(0), a.ref.TrainLogits, 2e-5)
	near(t, "loss", out(1), []float64{a.ref.Loss}, 1e-5)
	for k, name := range buffers {
		near(t, name, out(2+k), a.ref.Stats[name].Head, 1e-4)
	}
	floor := 0.0 // gradients that cancel to almost nothing are compared on the scale of the whole
	for _, w := range a.ref.Grads {
		floor = math.Max(floor, 1e-7*w.Norm)
	}
	for k, name := range weights {
		g := &model.Tensor{Dims: a.state.Get(name).Dims, Data: out(2 + len(buffers) + k)}
		want := a.ref.Grads[name]
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
}

// steps compares the losses of some steps of SGD.
func (a *agreement) steps(t *testing.T) {
	l, err := NewClassifier(a.b, a.n, a.state, a.ref.Batch, DefaultSGD(), Mean)
	if err != nil {
		t.Fatal(err)
	}
	ones := slices.Repeat([]float32{1}, a.ref.Batch)
	losses := a.ref.SGDLosses
	if a.ref.Side > 32 {
		losses = losses[:4] // momentum shows from the third on
	}
	for i, want := range losses {
		got, err := l.Step([]float64{0.01}, a.x, a.y, ones)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-want) > 1e-3*math.Max(1, want) {
			t.Errorf("loss after %d steps is %g, PyTorch's %g", i, got, want)
		}
	}
}

func (a *agreement) images(g *graph.Graph) func() *graph.Node {
	return func() *graph.Node { return gx.Input(g, "x", a.ref.Batch, a.ref.Side, a.ref.Side, 3) }
}

// call runs f on the reference's tensors and inputs, and returns a function that reads an output.
func (a *agreement) call(t *testing.T, f *gx.Function, inputs ...any) func(k int) []float32 {
	t.Helper()
	for i, s := range a.state {
		if err := f.Set(i, s.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Call(len(a.state), inputs...); err != nil {
		t.Fatal(err)
	}
	return func(k int) []float32 {
		v := make([]float32, f.Size(k))
		if err := f.Get(k, v); err != nil {
			t.Fatal(err)
		}
		return v
	}
}
