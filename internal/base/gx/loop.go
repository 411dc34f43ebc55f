package gx

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/graph"
)

// Looper is a backend that runs a program many times in one call.
type Looper interface {
	backends.Backend
	// Loop compiles a program, as its builder's Compile does, whose outputs have the shapes of its first inputs. The result may be
	// a Repeater.
	Loop(b backends.Builder, outputs []backends.Op) (backends.Executable, error)
}

// Repeater runs a program n times, the outputs of each time being the first inputs of the next. It returns those of the last.
type Repeater interface {
	Repeat(n int, inputs []backends.Buffer) ([]backends.Buffer, error)
}

// NewLoop compiles a graph whose outputs have the shapes of its first inputs, all carried, for Repeat. On a backend that is no
// Looper, Repeat makes a call for each time.
func NewLoop(b backends.Backend, name string, build func(g *graph.Graph) []*graph.Node) (*Function, error) {
	f, err := newFunction(&tap{Backend: b, loop: true}, name, 0, build)
	if err == nil {
		f.carry = len(f.outputs)
	}
	return f, err
}

// Repeat runs the program n times on its carried inputs.
func (f *Function) Repeat(n int) error {
	e, ok := f.exec.(Repeater)
	if !ok {
		for range n {
			if err := f.Call(0); err != nil {
				return err
			}
		}
		return nil
	}
	got, err := e.Repeat(n, f.in)
	if err != nil {
		return err
	}
	for i, next := range got {
		if err := f.backend.BufferFinalize(f.in[i]); err != nil {
			return err
		}
		f.in[i] = next
	}
	return nil
}

// Loops tells whether a backend's loops give what they should, by a small one: x becomes 2x + 1, four times.
func Loops(b Looper) bool {
	f, err := NewLoop(b, "loop", func(g *graph.Graph) []*graph.Node {
		x, one := Input(g, "x", 3), Input(g, "one", 3)
		return []*graph.Node{graph.Add(graph.MulScalar(x, 2), one)}
	})
	if err != nil {
		return false
	}
	got := make([]float32, 3)
	for i, in := range [][]float32{{0, 1, -1}, {1, 1, 1}} {
		if f.Set(i, in) != nil {
			return false
		}
	}
	return f.Repeat(4) == nil && f.Get(0, got) == nil && slices.Equal(got, []float32{15, 31, -1})
}

// Size returns how many elements a graph's result will have, without compiling it.
func Size(b backends.Backend, name string, build func(g *graph.Graph) *graph.Node) (n int, err error) {
	defer recoverTo(&err, name)
	return build(graph.NewGraph(b, name)).Shape().Size(), nil
}
