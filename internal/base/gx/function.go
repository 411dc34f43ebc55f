package gx

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// Function is a compiled graph with buffers of its own. Its first outputs may be carried: after
// every call they take the place of its first inputs, as a training's tensors do.
type Function struct {
	backend backends.Backend
	program *Program
	in, out []backends.Buffer
	carry   int
	number  []float32 // one, for Number: engines may be given no memory beside Go's pointers
}

// NewFunction compiles a graph whose first carry outputs have the shapes of its first inputs and
// replace them after each call.
func NewFunction(b backends.Backend, name string, carry int, build func(g *graph.Graph) []*graph.Node) (*Function, error) {
	return newFunction(b, name, carry, build)
}

// all outputs are carried, and the backend may make a loop of the program.
const all = -1

func newFunction(b backends.Backend, name string, carry int, build func(g *graph.Graph) []*graph.Node) (*Function, error) {
	p, err := compile(b, name, carry == all, build)
	if err != nil {
		return nil, err
	}
	if carry == all {
		carry = len(p.Outputs())
	}
	f := &Function{backend: b, program: p, carry: carry, number: make([]float32, 1)}
	for _, s := range p.Inputs() {
		buf, err := NewBuffer(b, s)
		if err != nil {
			return nil, err
		}
		f.in = append(f.in, buf)
	}
	for _, s := range p.Outputs() {
		buf, err := NewBuffer(b, s)
		if err != nil {
			return nil, err
		}
		f.out = append(f.out, buf)
	}
	return f, nil
}

// Set fills input i from float32, int32 or uint8 elements.
func (f *Function) Set(i int, data any) error {
	switch d := data.(type) {
	case []float32:
		return set(f, i, d)
	case []int32:
		return set(f, i, d)
	case []uint8:
		return set(f, i, d)
	}
	return fmt.Errorf("input %d is a %T", i, data)
}

func set[T float32 | int32 | uint8](f *Function, i int, data []T) (err error) {
	if size := f.program.inputs[i].Size(); len(data) != size {
		return fmt.Errorf("input %d takes %d numbers, got %d", i, size, len(data))
	}
	f.in[i], err = Write(f.backend, f.in[i], data)
	return err
}

// Call sets the inputs from first on, and runs.
func (f *Function) Call(first int, inputs ...any) error {
	for k, d := range inputs {
		if err := f.Set(first+k, d); err != nil {
			return err
		}
	}
	if err := f.program.Run(f.in, f.out); err != nil {
		return err
	}
	for i := range f.carry {
		f.in[i], f.out[i] = f.out[i], f.in[i]
	}
	return nil
}

// Get copies output i of the last call to dst.
func (f *Function) Get(i int, dst []float32) error {
	if i < f.carry {
		return Read(f.backend, f.in[i], dst)
	}
	return Read(f.backend, f.out[i], dst)
}

// Number returns output i of the last call, which is a single element.
func (f *Function) Number(i int) (float64, error) {
	err := f.Get(i, f.number)
	return float64(f.number[0]), err
}

// Explain describes the compiled program as a table, if the backend can.
func (f *Function) Explain() (string, error) { return f.program.Explain(f.in) }

// Arithmetic is the program's; see Program.Arithmetic.
func (f *Function) Arithmetic() (flops, peak float64) { return f.program.Arithmetic() }

// Size returns the number of elements of output i.
func (f *Function) Size(i int) int { return f.program.outputs[i].Size() }

// Input makes a float32 parameter of a graph.
func Input(g *graph.Graph, name string, dims ...int) *graph.Node {
	return graph.Parameter(g, name, shapes.Make(dtypes.Float32, dims...))
}
