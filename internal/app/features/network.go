// Package features computes what somebody's network, an ONNX file, makes of images.
package features

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/onnx-gomlx/onnx"
)

// Network is an ONNX network of images, and the tensor in it that is asked for.
type Network struct {
	Tensor string // what the features are

	file  string
	model *onnx.Model
	input string
	kind  dtypes.DType // of the input: uint8 means pixels as they are
	dims  []int        // of the input; −1: any
	last  bool         // channels are the input's last axis, else the second
	maps  bool         // they are the last axis of the tensor, where it has places

	needed []int // the operators that the tensor follows from, in the file's order
}

// Open reads a network. The features are its first output, or the tensor that is named: any output of an operator. Weights
// in files beside it are read too. It refuses operators that are not known to come out right, all named in one error.
func Open(file, tensor string) (n *Network, err error) {
	defer func() {
		if r := recover(); r != nil { // the library takes a well-formed graph for granted
			err = fmt.Errorf("%s: expected a network as ONNX, found a graph that is incomplete (%v)", file, r)
		}
	}()
	m, err := onnx.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: expected a network as ONNX: %w", file, err)
	}
	n = &Network{Tensor: tensor, file: file, model: m}
	if err = n.readExternal(); err == nil {
		err = n.findInput()
	}
	if err == nil {
		err = n.findTensor()
	}
	if err == nil {
		n.maps = n.channelsLast()
		err = n.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}

// Size returns the height and width of the images that the network takes, 0 where it takes any.
func (n *Network) Size() (height, width int) {
	at := 2
	if n.last {
		at = 1
	}
	return max(0, n.dims[at]), max(0, n.dims[at+1])
}

// TakesBytes tells whether pixels go in as they are, from 0 to 255, since the scaling is part of the network.
func (n *Network) TakesBytes() bool { return n.kind == dtypes.Uint8 }

// findInput finds the one input that is no weight: [batch, 3, height, width] or [batch, height, width, 3].
func (n *Network) findInput() error {
	m := n.model
	var names []string
	var shapes []onnx.DynamicShape
	weights := map[string]bool{}
	for _, t := range m.Proto.Graph.Initializer {
		weights[t.Name] = true
	}
	for i, name := range m.InputsNames {
		if !weights[name] {
			names, shapes = append(names, name), append(shapes, m.InputsShapes[i])
		}
	}
	m.InputsNames, m.InputsShapes = names, shapes // older files list weights among them, which the library would ask for
	if len(names) != 1 {
		return fmt.Errorf("expected one input, images, found %q", names)
	}
	n.input, n.kind, n.dims = names[0], shapes[0].DType, shapes[0].Dimensions
	switch {
	case len(n.dims) != 4:
	case n.dims[1] == 3, n.dims[1] < 0 && n.dims[3] != 3:
		return n.checkKind()
	case n.dims[3] == 3:
		n.last = true
		return n.checkKind()
	}
	return fmt.Errorf("expected images of three channels, [batch, 3, height, width] or [batch, height, width, 3], for input %q, found %s", n.input, shapes[0])
}

func (n *Network) checkKind() error {
	switch n.kind {
	case dtypes.Uint8, dtypes.Float32, dtypes.Float64:
		return nil
	}
	return fmt.Errorf("expected pixels as uint8, float32 or float64 for input %q, found %s", n.input, n.kind)
}

// findTensor takes the first output, or checks the name that was given.
func (n *Network) findTensor() error {
	m := n.model
	if n.Tensor == "" && len(m.OutputsNames) > 0 {
		n.Tensor = m.OutputsNames[0]
	}
	const most = 8
	var last []string
	nodes := m.Proto.Graph.Node
	for i := len(nodes) - 1; i >= 0; i-- {
		for _, out := range nodes[i].Output {
			if out == n.Tensor {
				return nil
			}
		}
		if len(last) < most && len(nodes[i].Output) > 0 {
			last = append(last, fmt.Sprintf("%q (%s)", nodes[i].Output[0], nodes[i].OpType))
		}
	}
	return fmt.Errorf("no operator has the output %q; the network's outputs are %q, its last operators' %s", n.Tensor, m.OutputsNames, strings.Join(last, ", "))
}

// channelsLast tells whether channels are the last axis of the tensor: of what follows from the input with nothing in between that says
// otherwise. ONNX's convolutions and pools take them as the second one, whatever the input's layout; a transposition may bring them back.
func (n *Network) channelsLast() bool {
	maker := map[string]int{}
	nodes := n.model.Proto.Graph.Node
	for i, node := range nodes {
		for _, out := range node.Output {
			maker[out] = i
		}
	}
	name := n.Tensor
	for range nodes {
		i, ok := maker[name]
		if !ok {
			break
		}
		switch node := nodes[i]; {
		case strings.HasSuffix(node.OpType, "Pool"), node.OpType == "Conv", node.OpType == "BatchNormalization":
			return false
		case node.OpType == "Transpose":
			for _, a := range node.Attribute {
				if a.Name == "perm" && len(a.Ints) == 4 {
					return a.Ints[3] == 1
				}
			}
			return n.last
		case len(node.Input) == 0:
			return n.last
		default:
			name = node.Input[0]
		}
	}
	return n.last
}

// readExternal reads weights that lie in files beside the network.
func (n *Network) readExternal() error {
	const external = 1 // ONNX's TensorProto.EXTERNAL
	for _, t := range n.model.Proto.Graph.Initializer {
		if t.DataLocation != external {
			continue
		}
		says := map[string]string{}
		for _, e := range t.ExternalData {
			says[e.Key] = e.Value
		}
		raw, err := readPart(filepath.Dir(n.file), says["location"], says["offset"], says["length"])
		if err != nil {
			return fmt.Errorf("the weights %q: %w", t.Name, err)
		}
		t.RawData, t.ExternalData, t.DataLocation = raw, nil, 0
	}
	return nil
}

// readPart reads a part of a file below a folder; without a length, to its end.
func readPart(folder, name, offset, length string) ([]byte, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("expected a file beside the network, found %q", name)
	}
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var from, size int64
	if offset != "" {
		from, err = strconv.ParseInt(offset, 10, 64)
	}
	size = st.Size() - from
	if err == nil && length != "" {
		size, err = strconv.ParseInt(length, 10, 64)
	}
	if err != nil || from < 0 || size < 0 || size > st.Size()-from {
		return nil, errors.Join(err, fmt.Errorf("bytes %s to %s more of %s, which has %d", offset, length, name, st.Size()))
	}
	raw := make([]byte, size)
	_, err = f.ReadAt(raw, from)
	return raw, err
}
