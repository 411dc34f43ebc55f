package model_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
)

// Published counts of trained numbers for 10 classes: WRN-16-1 and 40-1 in Zagoruyko and Komodakis' table 5 (0.2 M and
// 0.6 M), ResNet-18's and ResNet-34's as PyTorch's code of them counts.
func TestParameters(t *testing.T) {
	for arch, want := range map[string]int{
		"wrn-16-1": 175_066, "wrn-40-1": 563_930, "preact-resnet-18": 11_171_146, "resnet-34": 21_289_802, "small-cnn": 33_626,
	} {
		n, err := model.New(arch, 10, 32, 32)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Init(0).Parameters(); got != want {
			t.Errorf("%s has %d parameters, expected %d", arch, got, want)
		}
	}
}

// The tensors are named as PyTorch's modules of these networks name theirs: reference.py wrote the gradients of one and the
// statistics of the other kind.
func TestNamesAreThoseOfPyTorch(t *testing.T) {
	for _, arch := range model.Names() {
		raw := testfile.Read(t, "testdata/"+arch+".json")
		var ref struct {
			Side  int
			Grads map[string]any
			Stats map[string]any
		}
		if err := json.Unmarshal(raw, &ref); err != nil {
			t.Fatal(err)
		}
		n, err := model.New(arch, 10, ref.Side, ref.Side)
		if err != nil {
			t.Fatal(err)
		}
		var weights, buffers []string
		for _, s := range n.Spec() {
			if s.Kind == model.Weight {
				weights = append(weights, s.Name)
			} else {
				buffers = append(buffers, s.Name)
			}
		}
		for kind, c := range map[string]struct {
			ours   []string
			theirs map[string]any
		}{"weights": {weights, ref.Grads}, "buffers": {buffers, ref.Stats}} {
			if len(c.ours) != len(c.theirs) {
				t.Errorf("%s has %d %s, PyTorch's %d", arch, len(c.ours), kind, len(c.theirs))
			}
			for _, name := range c.ours {
				if _, ok := c.theirs[name]; !ok {
					t.Errorf("%s: PyTorch has no %s", arch, name)
				}
			}
		}
	}
}

// PyTorch keeps kernels as [out, in, height, width] and linear weights as [out, in].
func TestLayoutsRoundTrip(t *testing.T) {
	for _, c := range []struct{ ours, torch []int }{{[]int{3, 5, 2, 4}, []int{4, 2, 3, 5}}, {[]int{6, 4}, []int{4, 6}}, {[]int{7}, []int{7}}} {
		x := &model.Tensor{Dims: c.ours}
		for range 120 {
			x.Data = append(x.Data, float32(len(x.Data)))
		}
		size := 1
		for _, d := range c.ours {
			size *= d
		}
		x.Data = x.Data[:size]
		dims, data := x.PyTorch()
		if !slices.Equal(dims, c.torch) || !slices.Equal(x.PyTorchDims(), c.torch) {
			t.Errorf("%v becomes %v, expected %v", c.ours, dims, c.torch)
		}
		y := &model.Tensor{Dims: c.ours, Data: make([]float32, size)}
		y.SetPyTorch(data)
		if !slices.Equal(x.Data, y.Data) {
			t.Errorf("%v does not come back from PyTorch's layout", c.ours)
		}
	}
	w := &model.Tensor{Dims: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}}
	if _, data := w.PyTorch(); !slices.Equal(data, []float32{1, 4, 2, 5, 3, 6}) {
		t.Errorf("a linear layer's weights are %v in PyTorch", data)
	}
}

// A seed gives the same tensors, another one others, and a tensor's numbers do not depend on the layers before it.
func TestInit(t *testing.T) {
	n, err := model.New("small-cnn", 10, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	more, err := model.New("small-cnn", 7, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c, d := n.Init(1), n.Init(1), n.Init(2), more.Init(1)
	w := "conv3.weight"
	if !slices.Equal(a.Get(w).Data, b.Get(w).Data) || !slices.Equal(a.Get(w).Data, d.Get(w).Data) || slices.Equal(a.Get(w).Data, c.Get(w).Data) {
		t.Error("tensors do not follow from their seed and name alone")
	}
	if weight, bias := a.Classifier(); weight.Name != "fc.weight" || bias.Name != "fc.bias" {
		t.Errorf("the classifier is %v and %v", weight, bias)
	}
}

// The last layer follows the names of the classes; those of others, or twice the same, are not taken for them.
func TestTheClassifierFollowsTheClasses(t *testing.T) {
	s := model.State{
		{Name: "conv.weight", Dims: []int{2}, Data: []float32{7, 8}},
		{Name: "fc.weight", Dims: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}},
		{Name: "fc.bias", Dims: []int{3}, Data: []float32{10, 20, 30}},
	}
	turned, ok := s.ForClasses([]string{"a", "b", "c"}, []string{"c", "a", "b"})
	if !ok || !slices.Equal(turned[1].Data, []float32{3, 1, 2, 6, 4, 5}) || !slices.Equal(turned[2].Data, []float32{30, 10, 20}) || turned[0].Data[1] != 8 || s[1].Data[0] != 1 {
		t.Errorf("%v, %v and %v of %v", turned[0].Data, turned[1].Data, turned[2].Data, s[1].Data)
	}
	for _, classes := range [][]string{{"a", "b", "d"}, {"a", "b"}, {"a", "a", "b"}, {"a", "b", "c", "d"}} {
		if same, ok := s.ForClasses([]string{"a", "b", "c"}, classes); ok || !slices.Equal(same[1].Data, s[1].Data) {
			t.Errorf("%v are taken for a, b and c", classes)
		}
	}
	if other := s.WithClassifier(turned); !slices.Equal(other[1].Data, turned[1].Data) || !slices.Equal(other[2].Data, turned[2].Data) || s[2].Data[0] != 10 {
		t.Errorf("%v and %v, expected those of another network", other[1].Data, other[2].Data)
	}
}

// The layers that exports see make a chain from the image to the logits, and name every tensor.
func TestLayersMakeTheNetwork(t *testing.T) {
	for _, arch := range model.Names() {
		n, err := model.New(arch, 5, 32, 32)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := n.Layers()
		if err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{}
		for k, l := range layers {
			named[l.Name] = true
			if l.Out != k+1 || slices.Max(l.In) > k {
				t.Errorf("%s: layer %d makes value %d from %v", arch, k, l.Out, l.In)
			}
		}
		for _, s := range n.Spec() {
			if owner := s.Name[:strings.LastIndex(s.Name, ".")]; !named[owner] {
				t.Errorf("%s: no layer %s", arch, owner)
			}
		}
		if last := layers[len(layers)-1].Kind; last != "linear" {
			t.Errorf("%s ends with %s", arch, last)
		}
	}
}

// A mistake in a network's code is an error that names the network.
func TestWrongNetworksAreErrors(t *testing.T) {
	for want, build := range map[string]func(b *model.Builder, x *Node, classes int) *Node{
		"three: ":   func(*model.Builder, *Node, int) *Node { panic("three: no") },
		"[2 8 8 4]": func(b *model.Builder, x *Node, _ int) *Node { return b.Conv("c", x, 4, 3, 1) },
		"BatchNormFo": func(_ *model.Builder, x *Node, _ int) *Node {
			y, _, _ := InternalBatchNormForTraining(x, x, x, 1, 3)
			return y
		},
	} {
		_, err := (&model.Architecture{Name: "mine", Build: build}).New(3, 8, 8)
		if err == nil || !strings.Contains(err.Error(), "mine") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected an error of mine with %q", err, want)
		}
	}
	for _, size := range [][3]int{{1, 32, 32}, {2, 7, 32}, {2, 32, 7}} {
		if _, err := model.New("small-cnn", size[0], size[1], size[2]); err == nil {
			t.Errorf("%d classes of %d×%d pixels were accepted", size[0], size[1], size[2])
		}
	}
	if _, err := model.New("nope", 2, 32, 32); err == nil || !strings.Contains(err.Error(), "small-cnn") {
		t.Errorf("an unknown network: %v", err)
	}
}
