package features

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/onnx-gomlx/onnx"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// changed is a network of testdata as another file.
func changed(t *testing.T, name string, change func(m *onnx.Model)) string {
	t.Helper()
	m, err := onnx.ReadFile("testdata/" + name + ".onnx")
	if err != nil {
		t.Fatal(err)
	}
	change(m)
	file := filepath.Join(t.TempDir(), "n.onnx")
	if err := m.SaveToFile(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// operator finds the last operator of a kind.
func operator(t *testing.T, m *onnx.Model, kind string) int {
	t.Helper()
	for i, n := range slices.Backward(m.Proto.Graph.Node) {
		if n.OpType == kind {
			return i
		}
	}
	t.Fatalf("no %s", kind)
	return -1
}

// with adds an attribute to the last operator of a kind.
func with(t *testing.T, m *onnx.Model, kind, name string, a attribute) {
	n := m.Proto.Graph.Node[operator(t, m, kind)]
	x := newOf(n.Attribute)
	x.Name, x.I, x.F, x.S, x.Ints = name, a.number, a.float, []byte(a.text), a.list
	x.Type = 2
	if a.list != nil {
		x.Type = 7
	}
	n.Attribute = append(n.Attribute, x)
}

// What does not come out right, or may not, is refused by name.
func TestWhatCantBeComputedIsNamed(t *testing.T) {
	for _, c := range []struct {
		name, says string
		change     func(m *onnx.Model)
	}{
		{"resnet", "here: MaxUnpool, Resize; make", func(m *onnx.Model) {
			m.Proto.Graph.Node[operator(t, m, "Relu")].OpType = "Resize"
			m.Proto.Graph.Node[operator(t, m, "Relu")].OpType = "Resize"
			m.Proto.Graph.Node[operator(t, m, "Add")].OpType = "MaxUnpool"
		}},
		{"resnet", "com.microsoft.Relu", func(m *onnx.Model) { m.Proto.Graph.Node[operator(t, m, "Relu")].Domain = "com.microsoft" }},
		{"resnet", "Conv with auto_pad", func(m *onnx.Model) { with(t, m, "Conv", "auto_pad", attribute{text: "SAME_UPPER"}) }},
		{"resnet", "MaxPool with dilations", func(m *onnx.Model) { with(t, m, "MaxPool", "dilations", attribute{list: []int64{1, 2}}) }},
		{"resnet", "Gemm with beta", func(m *onnx.Model) {
			for _, a := range m.Proto.Graph.Node[operator(t, m, "Gemm")].Attribute {
				if a.Name == "beta" {
					a.F = 0.5
				}
			}
		}},
		{"vit", "Softmax of operator set 12", func(m *onnx.Model) {
			n := m.Proto.Graph.Node[operator(t, m, "Softmax")]
			n.Attribute = nil
			m.Proto.OpsetImport[0].Version = 12
		}},
		{"vit", "Gather with computed indices", func(m *onnx.Model) { m.Proto.Graph.Node[operator(t, m, "Gather")].Input[1] = "input" }},
		{"vit", "Gather with indices below 0", func(m *onnx.Model) {
			n := m.Proto.Graph.Node[operator(t, m, "Gather")]
			for _, o := range m.Proto.Graph.Node {
				if slices.Contains(o.Output, n.Input[1]) {
					o.Attribute[0].T.RawData = slices.Repeat([]byte{0xff}, len(o.Attribute[0].T.RawData))
				}
			}
		}},
		{"resnet", "expected one input, images, found", func(m *onnx.Model) { m.Proto.Graph.Input = append(m.Proto.Graph.Input, m.Proto.Graph.Output...) }},
		{"resnet", "expected images of three channels", func(m *onnx.Model) {
			m.Proto.Graph.Input[0] = m.Proto.Graph.Output[0]
			m.Proto.Graph.Initializer = m.Proto.Graph.Initializer[:0]
		}},
		{"resnet", "incomplete", func(m *onnx.Model) { m.Proto.Graph = nil }},
	} {
		_, err := Open(changed(t, c.name, c.change), "")
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "n.onnx") {
			t.Errorf("%v, expected %q", err, c.says)
		}
	}
	if _, err := Open("testdata/resnet.onnx", "none"); err == nil || !strings.Contains(err.Error(), `"/Flatten_output_0" (Flatten)`) {
		t.Errorf("a tensor that is not there: %v", err)
	}
	if _, err := Open("testdata/make.py", ""); err == nil || !strings.Contains(err.Error(), "expected a network as ONNX") {
		t.Errorf("no network: %v", err)
	}
}

// An operator that is not needed for the features does no harm, nor do attributes that change nothing, weights in a file
// beside the network, and weights among the inputs.
func TestOtherWaysToSayTheSame(t *testing.T) {
	set, o := images(5), Options{Normalize: imagenet(t)}
	want, _ := made(t, "testdata/resnet.onnx", "/Flatten_output_0", set, o)
	for name, change := range map[string]func(m *onnx.Model){
		"a classifier that is not needed": func(m *onnx.Model) { m.Proto.Graph.Node[operator(t, m, "Gemm")].OpType = "Unknown" },
		"attributes at their defaults": func(m *onnx.Model) {
			with(t, m, "Conv", "auto_pad", attribute{text: "NOTSET"})
			with(t, m, "MaxPool", "dilations", attribute{list: []int64{1, 1}})
			with(t, m, "MaxPool", "storage_order", attribute{})
		},
		"weights among the inputs": func(m *onnx.Model) {
			w := newOf(m.Proto.Graph.Input)
			w.Name, w.Type = m.Proto.Graph.Initializer[0].Name, m.Proto.Graph.Output[0].Type
			m.Proto.Graph.Input = append(m.Proto.Graph.Input, w)
		},
	} {
		got, _ := made(t, changed(t, "resnet", change), "/Flatten_output_0", set, o)
		for i := range set.Len() {
			near(t, name, got.At(i), want.At(i))
		}
	}

	var beside []byte
	file := changed(t, "resnet", func(m *onnx.Model) {
		for _, w := range m.Proto.Graph.Initializer {
			for _, e := range [][2]string{{"location", "w.bin"}, {"offset", strconv.Itoa(len(beside))}, {"length", strconv.Itoa(len(w.RawData))}} {
				x := newOf(w.ExternalData)
				x.Key, x.Value = e[0], e[1]
				w.ExternalData = append(w.ExternalData, x)
			}
			beside = append(beside, w.RawData...)
			w.RawData, w.DataLocation = nil, 1
		}
	})
	weights := filepath.Join(filepath.Dir(file), "w.bin")
	for size, says := range map[int]string{len(beside): "", len(beside) - 1: "w.bin, which has", 0: "w.bin, which has"} {
		testfile.Write(t, weights, beside[:size])
		_, err := Open(file, "")
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%d of %d bytes: %v", size, len(beside), err)
		}
	}
	testfile.Write(t, weights, beside)
	got, _ := made(t, file, "/Flatten_output_0", set, o)
	for i := range set.Len() {
		near(t, "weights beside the network", got.At(i), want.At(i))
	}
}

// What only shows when the graph is built is an error that names it.
func TestWhatTheGraphLacks(t *testing.T) {
	for says, change := range map[string]func(m *onnx.Model){
		`"missing"`: func(m *onnx.Model) { m.Proto.Graph.Node[operator(t, m, "Gemm")].Input[1] = "missing" },
		"FLOAT16": func(m *onnx.Model) {
			n := m.Proto.Graph.Node[operator(t, m, "Flatten")]
			n.OpType, n.Attribute = "Cast", nil
			with(t, m, "Cast", "to", attribute{number: 10})
		},
		"BatchNormalization": func(m *onnx.Model) {
			n := m.Proto.Graph.Node[operator(t, m, "BatchNormalization")]
			n.Input = n.Input[:3]
		},
	} {
		n, err := Open(changed(t, "resnet", change), "")
		if err == nil {
			_, err = n.Write(context.Background(), engine(t), images(3), filepath.Join(t.TempDir(), "f.npy"), Options{Normalize: imagenet(t)})
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, expected %s", err, says)
		}
	}
}

// Whatever the input's layout, convolutions take channels as the second axis, until a transposition brings them back.
func TestWhereChannelsAre(t *testing.T) {
	file := changed(t, "resnet", func(*onnx.Model) {})
	n, err := Open(file, "/layers/layers.8/relu_1/Relu_output_0")
	if err != nil {
		t.Fatal(err)
	}
	n.last = true
	if n.channelsLast() {
		t.Error("a convolution's channels are taken for the last axis")
	}
	m := n.model
	for _, node := range m.Proto.Graph.Node {
		if slices.Contains(node.Output, n.Tensor) {
			node.OpType = "Transpose"
			x := newOf(node.Attribute)
			x.Name, x.Ints = "perm", []int64{0, 2, 3, 1}
			node.Attribute = append(node.Attribute, x)
		}
	}
	if !n.channelsLast() {
		t.Error("transposed channels are not")
	}
	m.Proto.Graph.Node = nil
	if n.Tensor = n.input; !n.channelsLast() {
		t.Error("the input's own are not")
	}
}
