package model

import (
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
)

// tracer is a backend on which a network's code is run to see what tensors and layers it asks for. Nothing is compiled:
// GoMLX's own portable engine only says what shapes the results have.
type tracer struct{ backends.Backend }

func newTracer() tracer { return tracer{simplego.GetBackend()} }

// Builder implements backends.Backend.
func (t tracer) Builder(name string) backends.Builder { return shapeBuilder{t.Backend.Builder(name)} }

// shapeBuilder adds the shapes of what networks use and that engine lacks.
type shapeBuilder struct{ backends.Builder }

// BatchNormForInference implements backends.Builder.
func (shapeBuilder) BatchNormForInference(x, _, _, _, _ backends.Op, _ float32, _ int) (backends.Op, error) {
	return x, nil
}

// Reverse implements backends.Builder.
func (shapeBuilder) Reverse(x backends.Op, _ ...int) (backends.Op, error) { return x, nil }

// Pad implements backends.Builder.
func (b shapeBuilder) Pad(x, _ backends.Op, axes ...backends.PadAxis) (backends.Op, error) {
	s, err := b.OpShape(x)
	if err != nil {
		return nil, err
	}
	s = s.Clone()
	for i, a := range axes {
		s.Dimensions[i] += a.Start + max(0, s.Dimensions[i]-1)*a.Interior + a.End
	}
	return b.Parameter("padded", s, nil)
}
