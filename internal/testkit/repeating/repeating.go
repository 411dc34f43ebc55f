// Package repeating makes an engine one that repeats programs, as XLA does on a GPU.
package repeating

import (
	"errors"
	"slices"

	"github.com/gomlx/gomlx/backends"
)

// Backend computes with another, whose executables it repeats; see gx.Looper.
type Backend struct {
	backends.Backend
	Calls, Steps int   // counted
	Fail         error // given by Loop, unless nil
}

type executable struct {
	backends.Executable
	of *Backend
}

// Loop implements gx.Looper.
func (b *Backend) Loop(builder backends.Builder, outputs []backends.Op) (backends.Executable, error) {
	e, err := builder.Compile(outputs, nil)
	return executable{e, b}, errors.Join(err, b.Fail)
}

// Repeat implements gx.Repeater.
func (e executable) Repeat(n int, inputs []backends.Buffer) (out []backends.Buffer, err error) {
	e.of.Calls++
	e.of.Steps += n
	for k := range n {
		next, err := e.Execute(append(slices.Clone(out), inputs[len(out):]...), nil, 0)
		if err != nil {
			return nil, err
		}
		for i := 0; k > 0 && i < len(out); i++ {
			if err := e.of.BufferFinalize(out[i]); err != nil {
				return nil, err
			}
		}
		out = next
	}
	return out, nil
}
