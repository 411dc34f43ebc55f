package gx

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// Function is a compiled graph with buffers of its own. Its first outputs may be carried: after
// every call they take the place of its first inputs, as a training's tensors do. It is not for concurrent use.
type Function struct {
	backend         backends.Backend
	exec            backends.Executable
	in, out         []backends.Buffer
	inputs, outputs []shapes.Shape
	carry           int
	number          []float32 // one, for Number: engines may be given no memory beside Go's pointers
}

// NewFunction compiles a graph whose first carry outputs have the shapes of its first inputs and
// replace them after each call. GoMLX's panics become errors.
func NewFunction(b backends.Backend, name string, carry int, build func(g *graph.Graph) []*graph.Node) (*Function, error) {
	return newFunction(&tap{Backend: b}, name, carry, build)
}

func newFunction(t *tap, name string, carry int, build func(g *graph.Graph) []*graph.Node) (f *Function, err error) {
	defer recoverTo(&err, name)
	g := graph.NewGraph(t, name)
	g.Compile(build(g)...)
	f = &Function{backend: t.Backend, exec: t.exec, outputs: t.exec.Outputs(), carry: carry, number: make([]float32, 1)}
	_, f.inputs = t.exec.Inputs()
	if f.in, err = newBuffers(f.backend, f.inputs); err == nil {
		f.out, err = newBuffers(f.backend, f.outputs)
	}
	return f, err
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
	if size := f.inputs[i].Size(); len(data) != size {
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
	if err := f.run(); err != nil {
		return err
	}
	for i := range f.carry {
		f.in[i], f.out[i] = f.out[i], f.in[i]
	}
	return nil
}

// run computes into the outputs: on a backend with shared memory in place, else in new buffers.
func (f *Function) run() error {
	if e, ok := f.exec.(interface {
		ExecuteInto(inputs, outputs []backends.Buffer) error
	}); ok {
		return e.ExecuteInto(f.in, f.out)
	}
	got, err := f.exec.Execute(f.in, nil, 0)
	if err != nil {
		return err
	}
	for i := range f.out {
		if err := f.backend.BufferFinalize(f.out[i]); err != nil {
			return err
		}
		f.out[i] = got[i]
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
func (f *Function) Explain() (string, error) {
	e, ok := f.exec.(interface {
		Explain(inputs []backends.Buffer) (string, error)
	})
	if !ok {
		return "", fmt.Errorf("backend %s does not explain its programs", f.backend.Name())
	}
	return e.Explain(f.in)
}

// Arithmetic returns how many multiplications and additions a run does and what one core can do a second, or zeros if
// the backend doesn't know.
func (f *Function) Arithmetic() (flops, peak float64) {
	if e, ok := f.exec.(interface{ Arithmetic() (flops, peak float64) }); ok {
		return e.Arithmetic()
	}
	return 0, 0
}

// Size returns the number of elements of output i.
func (f *Function) Size(i int) int { return f.outputs[i].Size() }

// Input makes a float32 parameter of a graph.
func Input(g *graph.Graph, name string, dims ...int) *graph.Node {
	return graph.Parameter(g, name, shapes.Make(dtypes.Float32, dims...))
}
