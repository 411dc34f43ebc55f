package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/model"
)

// ONNX, written field by field: a model is a few messages of protocol buffers.

// onnxOpset is the version of the operators that are used.
const onnxOpset = 17

// Types of tensors in onnx.proto.
const (
	onnxFloat = 1
	onnxUint8 = 2
)

// message is a protocol buffer under construction.
type message []byte

func (m message) text(field protowire.Number, s string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), s)
}

func (m message) raw(field protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), b)
}

func (m message) number(field protowire.Number, v int) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(v))
}

// ints is an AttributeProto of whole numbers.
func ints64(name string, values ...int) message {
	a := message(nil).text(1, name)
	for _, v := range values {
		a = a.number(8, v)
	}
	return a.number(20, 7)
}

func float(name string, v float32) message {
	a := message(nil).text(1, name)
	a = protowire.AppendFixed32(protowire.AppendTag(a, 2, protowire.Fixed32Type), math.Float32bits(v))
	return a.number(20, 1)
}

func number(name string, v int) message {
	return message(nil).text(1, name).number(3, v).number(20, 2)
}

// node is a NodeProto.
func node(op string, in []string, out string, attributes ...message) message {
	var n message
	for _, s := range in {
		n = n.text(1, s)
	}
	n = n.text(2, out).text(3, out).text(4, op)
	for _, a := range attributes {
		n = n.raw(5, a)
	}
	return n
}

// initializer is a TensorProto of float32.
func initializer(name string, dims []int, data []float32) message {
	var t message
	for _, d := range dims {
		t = t.number(1, d)
	}
	body := make([]byte, 0, 4*len(data))
	for _, v := range data {
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
	}
	return t.number(2, onnxFloat).text(8, name).raw(9, body)
}

// value is a ValueInfoProto of images or logits with any batch size.
func value(name string, kind int, dims ...int) message {
	shape := message(nil).raw(1, message(nil).text(2, "batch"))
	for _, d := range dims {
		shape = shape.raw(1, message(nil).number(1, d))
	}
	tensor := message(nil).number(1, kind).raw(2, shape)
	return message(nil).text(1, name).raw(2, message(nil).raw(1, tensor))
}

// WriteONNX stores a network as an ONNX model, operator set 17. Its input pixels is uint8,
// [batch, 3, height, width], as images are; the scaling to 0…1 and Info.Normalize are part of the model. Its outputs are
// logits and probabilities, [batch, classes]. The metadata say the classes, the architecture and how images are to be made.
func WriteONNX(path string, n *model.Network, s model.State, info Info) error {
	if err := s.Finite(); err != nil {
		return fmt.Errorf("model not written to %s: %w", path, err)
	}
	layers, err := n.Layers()
	if err != nil {
		return err
	}
	var g message
	add := func(m message) { g = g.raw(1, m) }
	add(node("Cast", []string{"pixels"}, "floats", number("to", onnxFloat)))
	scaled := "v0"
	if info.Normalize != nil {
		scaled = "scaled"
	}
	add(node("Mul", []string{"floats", "scale"}, scaled))
	if info.Normalize != nil {
		add(node("Sub", []string{scaled, "mean"}, "centred"))
		add(node("Div", []string{"centred", "std"}, "v0"))
	}
	name := func(v int) string {
		if v == len(layers) {
			return "logits"
		}
		return "v" + strconv.Itoa(v)
	}
	for _, l := range layers {
		var in []string
		for _, v := range l.In {
			in = append(in, name(v))
		}
		nodes, err := operators(l, in, name(l.Out))
		if err != nil {
			return err
		}
		for _, m := range nodes {
			add(m)
		}
	}
	add(node("Softmax", []string{"logits"}, "probabilities", number("axis", 1)))
	g = g.text(2, n.Arch)
	g = g.raw(5, initializer("scale", nil, []float32{1.0 / 255}))
	if info.Normalize != nil {
		g = g.raw(5, initializer("mean", []int{1, 3, 1, 1}, info.Normalize.Mean[:])).raw(5, initializer("std", []int{1, 3, 1, 1}, info.Normalize.Std[:]))
	}
	for _, t := range s {
		dims, data := t.PyTorch()
		g = g.raw(5, initializer(t.Name, dims, data))
	}
	g = g.raw(11, value("pixels", onnxUint8, 3, n.Height, n.Width))
	g = g.raw(12, value("logits", onnxFloat, n.Classes)).raw(12, value("probabilities", onnxFloat, n.Classes))

	classes, err := json.Marshal(info.Classes)
	if err != nil {
		return err
	}
	m := message(nil).number(1, 8).text(2, "unpoison").text(3, info.Version).raw(7, g)
	m = m.raw(8, message(nil).text(1, "").number(2, onnxOpset))
	meta := described(n.Arch, string(classes), n.Height, n.Width, info.Depth, n.Stem)
	meta["channels"], meta["resize"] = "RGB", "stretched to height and width, Catmull-Rom, antialiased"
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		m = m.raw(14, message(nil).text(1, k).text(2, meta[k]))
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(m)
		return err
	})
}

// operators returns the nodes of a layer.
func operators(l model.Layer, in []string, out string) ([]message, error) {
	square := []message{ints64("kernel_shape", l.Kernel, l.Kernel), ints64("strides", l.Stride, l.Stride), ints64("pads", l.Pad[0], l.Pad[1], l.Pad[0], l.Pad[1])}
	switch l.Kind {
	case "conv":
		return []message{node("Conv", append(in, l.Name+".weight"), out, square...)}, nil
	case "batchnorm":
		in = append(in, l.Name+".weight", l.Name+".bias", l.Name+".running_mean", l.Name+".running_var")
		return []message{node("BatchNormalization", in, out, float("epsilon", 1e-5))}, nil
	case "relu":
		return []message{node("Relu", in, out)}, nil
	case "add":
		return []message{node("Add", in, out)}, nil
	case "maxpool":
		return []message{node("MaxPool", in, out, square...)}, nil
	case "globalpool":
		return []message{node("GlobalAveragePool", in, out+".pooled"), node("Flatten", []string{out + ".pooled"}, out)}, nil
	case "linear":
		return []message{node("Gemm", append(in, l.Name+".weight", l.Name+".bias"), out, number("transB", 1))}, nil
	}
	return nil, fmt.Errorf("ONNX: no operator for a layer of kind %q", l.Kind)
}
