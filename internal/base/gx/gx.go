// Package gx runs GoMLX graphs on any of its backends with buffers that are reused from step to
// step: GoMLX's own Exec makes new tensors for every call.
package gx

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// Program is a compiled graph. It is not for concurrent use.
type Program struct {
	backend backends.Backend
	exec    backends.Executable
	inputs  []shapes.Shape
	outputs []shapes.Shape
}

// tap hands GoMLX a backend whose compiled executables it keeps.
type tap struct {
	backends.Backend
	loop bool // for a Looper
	exec backends.Executable
}

type tapBuilder struct {
	backends.Builder
	tap *tap
}

func (t *tap) Builder(name string) backends.Builder {
	return &tapBuilder{t.Backend.Builder(name), t}
}

func (b *tapBuilder) Compile(outputs []backends.Op, s []*backends.ShardingSpec) (backends.Executable, error) {
	var err error
	if l, ok := b.tap.Backend.(Looper); ok && b.tap.loop {
		b.tap.exec, err = l.Loop(b.Builder, outputs)
	} else {
		b.tap.exec, err = b.Builder.Compile(outputs, s)
	}
	return b.tap.exec, err
}

// Compile builds a graph with build and compiles it. GoMLX's panics become errors.
func Compile(backend backends.Backend, name string, build func(g *graph.Graph) []*graph.Node) (*Program, error) {
	return compile(backend, name, false, build)
}

func compile(backend backends.Backend, name string, loop bool, build func(g *graph.Graph) []*graph.Node) (p *Program, err error) {
	defer recoverTo(&err, name)
	t := &tap{Backend: backend, loop: loop}
	g := graph.NewGraph(t, name)
	g.Compile(build(g)...)
	p = &Program{backend: backend, exec: t.exec}
	_, p.inputs = t.exec.Inputs()
	p.outputs = t.exec.Outputs()
	return p, nil
}

func recoverTo(err *error, name string) {
	if r := recover(); r != nil {
		if e, ok := r.(error); ok {
			*err = fmt.Errorf("graph %s: %w", name, e)
			return
		}
		*err = fmt.Errorf("graph %s: %v", name, r)
	}
}

// Inputs returns the shapes of the graph's parameters, in order.
func (p *Program) Inputs() []shapes.Shape { return p.inputs }

// Outputs returns the shapes of its results.
func (p *Program) Outputs() []shapes.Shape { return p.outputs }

// Run computes into outputs, which hold buffers of the right shapes that are no inputs, and leaves
// the results there: on a backend with shared memory in place, else in new buffers.
func (p *Program) Run(inputs, outputs []backends.Buffer) error {
	if e, ok := p.exec.(interface {
		ExecuteInto(inputs, outputs []backends.Buffer) error
	}); ok {
		return e.ExecuteInto(inputs, outputs)
	}
	got, err := p.exec.Execute(inputs, nil, 0)
	if err != nil {
		return err
	}
	for i := range outputs {
		if err := p.backend.BufferFinalize(outputs[i]); err != nil {
			return err
		}
		outputs[i] = got[i]
	}
	return nil
}

// Arithmetic returns how many multiplications and additions a run does and what one core can do a second, or zeros if
// the backend doesn't know.
func (p *Program) Arithmetic() (flops, peak float64) {
	if e, ok := p.exec.(interface{ Arithmetic() (flops, peak float64) }); ok {
		return e.Arithmetic()
	}
	return 0, 0
}

// Explain describes the compiled program as a table, if the backend can.
func (p *Program) Explain(inputs []backends.Buffer) (string, error) {
	e, ok := p.exec.(interface {
		Explain(inputs []backends.Buffer) (string, error)
	})
	if !ok {
		return "", fmt.Errorf("backend %s does not explain its programs", p.backend.Name())
	}
	return e.Explain(inputs)
}

// NewBuffer returns a buffer of zeros.
func NewBuffer(b backends.Backend, s shapes.Shape) (backends.Buffer, error) {
	if b.HasSharedBuffers() {
		buf, _, err := b.NewSharedBuffer(0, s)
		return buf, err
	}
	switch s.DType {
	case dtypes.Int32:
		return b.BufferFromFlatData(0, make([]int32, s.Size()), s)
	case dtypes.Float32:
		return b.BufferFromFlatData(0, make([]float32, s.Size()), s)
	case dtypes.Uint8:
		return b.BufferFromFlatData(0, make([]uint8, s.Size()), s)
	}
	return nil, fmt.Errorf("no buffer of %s", s)
}

// Write copies data into the buffer, which may be replaced; the one to use is returned.
func Write[T float32 | int32 | uint8](b backends.Backend, buf backends.Buffer, data []T) (backends.Buffer, error) {
	if b.HasSharedBuffers() {
		flat, err := b.BufferData(buf)
		if err != nil {
			return nil, err
		}
		copy(flat.([]T), data)
		return buf, nil
	}
	s, err := b.BufferShape(buf)
	if err != nil {
		return nil, err
	}
	if err := b.BufferFinalize(buf); err != nil {
		return nil, err
	}
	return b.BufferFromFlatData(0, data, s)
}

// Read copies the buffer's elements to dst.
func Read[T float32 | int32](b backends.Backend, buf backends.Buffer, dst []T) error {
	if b.HasSharedBuffers() {
		flat, err := b.BufferData(buf)
		if err != nil {
			return err
		}
		copy(dst, flat.([]T))
		return nil
	}
	return b.BufferToFlatData(buf, dst)
}
