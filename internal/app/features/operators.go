package features

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// known are the operators that come out as onnxruntime computes them, each with the attributes that count. The library
// (onnx-gomlx 0.3.4) reads some more, and passes over attributes that it does not know.
var known = map[string]string{
	"Abs": "", "Add": "", "And": "", "AveragePool": "kernel_shape strides pads", "BatchNormalization": "epsilon", "Cast": "to",
	"Ceil": "", "Clip": "", "Concat": "axis", "Constant": "value", "ConstantOfShape": "value",
	"Conv": "kernel_shape strides pads dilations group", "Cos": "", "Div": "", "Dropout": "", "Equal": "", "Erf": "", "Exp": "", "Expand": "",
	"Flatten": "axis", "Floor": "", "Gather": "axis", "Gemm": "transA transB", "GlobalAveragePool": "", "Greater": "",
	"GreaterOrEqual": "", "Identity": "", "LayerNormalization": "axis epsilon", "Less": "", "LessOrEqual": "", "Log": "", "MatMul": "",
	"Max": "", "MaxPool": "kernel_shape strides pads", "Min": "", "Mul": "", "Neg": "", "Not": "", "Or": "", "Pad": "", "Pow": "", "Range": "",
	"ReduceMean": "axes keepdims noop_with_empty_axes", "Relu": "", "Reshape": "", "Shape": "start end", "Sin": "", "Slice": "",
	"Softmax": "axis", "Split": "axis", "Sqrt": "", "Squeeze": "axes", "Sub": "", "Tanh": "", "Tile": "", "Transpose": "perm",
	"Unsqueeze": "axes", "Where": "",
}

// attribute is an attribute of an operator: the field that its kind fills.
type attribute struct {
	number int64
	float  float32
	text   string
	list   []int64
}

// idle tells whether an attribute changes nothing here: at its default, or where features don't depend on it.
func idle(operator, name string, a attribute, padded bool) bool {
	switch operator + " " + name {
	case "Conv auto_pad", "MaxPool auto_pad", "AveragePool auto_pad":
		return a.text == "NOTSET"
	case "Pad mode":
		return a.text == "constant"
	case "MaxPool dilations", "AveragePool dilations":
		return !slices.ContainsFunc(a.list, func(d int64) bool { return d != 1 })
	case "MaxPool ceil_mode", "MaxPool storage_order", "AveragePool ceil_mode", "BatchNormalization training_mode":
		return a.number == 0
	case "AveragePool count_include_pad":
		return a.number == 0 || !padded
	case "BatchNormalization spatial":
		return a.number == 1
	case "Gemm alpha", "Gemm beta":
		return a.float == 1
	case "BatchNormalization momentum", "LayerNormalization stash_type", "Reshape allowzero", "Cast saturate", "Dropout ratio",
		"Dropout seed", "Split num_outputs":
		return true
	}
	return false
}

// check looks at every operator that the features need, and takes off what changes nothing but that the library refuses.
func (n *Network) check() error {
	nodes := n.model.Proto.Graph.Node
	maker := map[string]int{}
	for i, node := range nodes {
		for _, out := range node.Output {
			maker[out] = i
		}
	}
	var lacks []string
	seen := map[int]bool{}
	for todo := []string{n.Tensor}; len(todo) > 0; {
		i, made := maker[todo[0]]
		todo = todo[1:]
		if !made || seen[i] {
			continue
		}
		seen[i] = true
		if lack := n.checkNode(i); lack != "" && !slices.Contains(lacks, lack) {
			lacks = append(lacks, lack)
		}
		todo = append(todo, nodes[i].Input...)
	}
	n.needed = slices.Sorted(maps.Keys(seen))
	if len(lacks) > 0 {
		slices.Sort(lacks)
		return fmt.Errorf("these operators can't be computed here: %s; make the features with the program that the network comes from", strings.Join(lacks, ", "))
	}
	return nil
}

// checkNode says what a node has that is not known to come out right; empty: nothing.
func (n *Network) checkNode(i int) string {
	node := n.model.Proto.Graph.Node[i]
	counts, ok := known[node.OpType]
	if !ok || node.Domain != "" && node.Domain != "ai.onnx" {
		return strings.TrimPrefix(node.Domain+"."+node.OpType, ".")
	}
	for len(node.Input) > 0 && node.Input[len(node.Input)-1] == "" {
		node.Input = node.Input[:len(node.Input)-1]
	}
	if slices.Contains(node.Input, "") {
		return node.OpType + " with an input left out"
	}
	padded := false
	for _, a := range node.Attribute {
		padded = padded || a.Name == "pads" && slices.ContainsFunc(a.Ints, func(p int64) bool { return p != 0 })
	}
	axis := int64(-1) // of a Softmax
	kept := node.Attribute[:0]
	for _, a := range node.Attribute {
		switch {
		case slices.Contains(strings.Fields(counts), a.Name):
			kept = append(kept, a)
			axis = a.I
		case !idle(node.OpType, a.Name, attribute{a.I, a.F, string(a.S), a.Ints}, padded):
			return fmt.Sprintf("%s with %s", node.OpType, a.Name)
		}
	}
	node.Attribute = kept
	switch node.OpType {
	case "Softmax":
		if v := n.version(); v < 13 && (axis != -1 || len(kept) == 0) {
			return fmt.Sprintf("Softmax of operator set %d", v)
		}
	case "Gather":
		return n.checkGather(node.Input)
	case "Pad":
		if len(node.Input) > 3 {
			return "Pad with axes"
		}
	case "Dropout":
		node.OpType, node.Input = "Identity", node.Input[:1]
	case "GlobalAveragePool": // the library would drop the axes
		a := newOf(node.Attribute)
		a.Name, a.Type, a.Ints = "axes", 7, []int64{2, 3}
		node.OpType, node.Attribute = "ReduceMean", append(node.Attribute, a)
	}
	return ""
}

// newOf makes an element for a list of pointers: a type that the library keeps to itself.
func newOf[T any]([]*T) *T { return new(T) }

// version is the version of the standard operators.
func (n *Network) version() int64 {
	for _, s := range n.model.Proto.OpsetImport {
		if s.Domain == "" || s.Domain == "ai.onnx" {
			return s.Version
		}
	}
	return 1
}

// checkGather refuses indices that count from the end, or might: backends would take the first place instead.
func (n *Network) checkGather(in []string) string {
	if len(in) != 2 {
		return "Gather"
	}
	g := n.model.Proto.Graph
	for _, t := range g.Initializer {
		if t.Name == in[1] {
			return gathers(t.DataType, t.RawData, t.Int64Data, t.Int32Data)
		}
	}
	for _, node := range g.Node {
		if node.OpType == "Constant" && slices.Contains(node.Output, in[1]) && len(node.Attribute) == 1 && node.Attribute[0].T != nil {
			t := node.Attribute[0].T
			return gathers(t.DataType, t.RawData, t.Int64Data, t.Int32Data)
		}
	}
	return "Gather with computed indices"
}

// gathers says what is wrong with indices: 6 is ONNX's int32, 7 its int64, little-endian if raw.
func gathers(kind int32, raw []byte, long []int64, short []int32) string {
	below := slices.ContainsFunc(long, func(v int64) bool { return v < 0 }) || slices.ContainsFunc(short, func(v int32) bool { return v < 0 })
	size := 4
	if kind == 7 {
		size = 8
	}
	for b := raw; len(b) >= size; b = b[size:] {
		below = below || b[size-1] >= 0x80 // the sign, in the last byte
	}
	if kind != 6 && kind != 7 || below {
		return "Gather with indices below 0"
	}
	return ""
}
