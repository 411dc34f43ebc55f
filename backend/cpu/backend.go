package cpu

import (
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/notimplemented"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/pkg/errors"

	"github.com/unpoison/unpoison/backend/cpu/internal/engine"
	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// Name is what the backend is registered under: GOMLX_BACKEND=unpoison-cpu selects it.
const Name = "unpoison-cpu"

func init() {
	backends.Register(Name, func(config string) (backends.Backend, error) { return New(config) })
}

// Backend computes GoMLX graphs on this machine's processor. It has one device, number 0.
type Backend struct {
	notimplemented.Backend
	threads   int // that a computation uses; 0: all
	finalized atomic.Bool
}

// New returns the backend. config is empty or "threads=N": how many of GOMAXPROCS threads a computation uses
// (default all). Several programs that run at a time, with a share of the threads each, get more done than one
// program with all of them; the results are the same. A value of UNPOISON_CPU that is none of this processor's
// instruction sets is an error.
func New(config string) (*Backend, error) {
	if err := kernel.Asked(); err != nil {
		return nil, err
	}
	if config == "" {
		return &Backend{}, nil
	}
	value, ok := strings.CutPrefix(config, "threads=")
	n, err := strconv.Atoi(value)
	if !ok || err != nil || n < 1 {
		return nil, errors.Errorf("backend %s takes threads=N with N at least 1, or nothing, got %q", Name, config)
	}
	return &Backend{threads: n}, nil
}

// InstructionSet names the kernels in use: avx512, avx2, neon or generic.
func InstructionSet() string { return kernel.Active.Name }

// Name implements backends.Backend.
func (b *Backend) Name() string { return Name }

func (b *Backend) String() string { return Name }

// Description implements backends.Backend.
func (b *Backend) Description() string {
	return "pure Go engine for convolutional networks, " + kernel.Active.Name + " kernels"
}

// NumDevices implements backends.Backend.
func (b *Backend) NumDevices() int { return 1 }

// DeviceDescription implements backends.Backend.
func (b *Backend) DeviceDescription(backends.DeviceNum) string { return runtime.GOARCH + " processor" }

// Capabilities implements backends.Backend.
func (b *Backend) Capabilities() backends.Capabilities {
	c := backends.Capabilities{Operations: map[backends.OpType]bool{}, DTypes: map[dtypes.DType]bool{}}
	for d := range types {
		c.DTypes[d] = true
	}
	for op := range backends.OpTypeLast {
		c.Operations[op] = !unsupported[op]
	}
	return c
}

// Builder implements backends.Backend.
func (b *Backend) Builder(name string) backends.Builder { return newBuilder(b, name) }

// Finalize implements backends.Backend.
func (b *Backend) Finalize() { b.finalized.Store(true) }

// IsFinalized implements backends.Backend.
func (b *Backend) IsFinalized() bool { return b.finalized.Load() }

var types = map[dtypes.DType]engine.Type{
	dtypes.Bool: engine.Bool, dtypes.Int8: engine.Int8, dtypes.Uint8: engine.Uint8,
	dtypes.Int32: engine.Int32, dtypes.Int64: engine.Int64,
	dtypes.Uint32: engine.Uint32, dtypes.Uint64: engine.Uint64,
	dtypes.Float32: engine.Float32, dtypes.Float64: engine.Float64,
}

// Buffer is a tensor in memory.
type Buffer struct {
	shape shapes.Shape
	flat  any            // a slice of the shape's Go type
	ptr   unsafe.Pointer // to its first element
}

// NewBuffer returns a zero tensor.
func NewBuffer(shape shapes.Shape) *Buffer {
	n := shape.Size()
	v := reflect.MakeSlice(reflect.SliceOf(shape.DType.GoType()), n, n)
	return &Buffer{shape, v.Interface(), v.UnsafePointer()}
}

// Flat returns the elements: a slice of the type that the shape names.
func (b *Buffer) Flat() any { return b.flat }

func asBuffer(buffer backends.Buffer) (*Buffer, error) {
	b, ok := buffer.(*Buffer)
	if !ok || b == nil || b.flat == nil {
		return nil, errors.Errorf("%T is no live buffer of backend %s", buffer, Name)
	}
	return b, nil
}

// BufferFinalize implements backends.DataInterface.
func (b *Backend) BufferFinalize(buffer backends.Buffer) error {
	buf, err := asBuffer(buffer)
	if err != nil {
		return err
	}
	buf.flat, buf.ptr = nil, nil
	return nil
}

// BufferShape implements backends.DataInterface.
func (b *Backend) BufferShape(buffer backends.Buffer) (shapes.Shape, error) {
	buf, err := asBuffer(buffer)
	if err != nil {
		return shapes.Invalid(), err
	}
	return buf.shape, nil
}

// BufferDeviceNum implements backends.DataInterface.
func (b *Backend) BufferDeviceNum(backends.Buffer) (backends.DeviceNum, error) { return 0, nil }

// BufferToFlatData implements backends.DataInterface.
func (b *Backend) BufferToFlatData(buffer backends.Buffer, flat any) error {
	buf, err := asBuffer(buffer)
	if err != nil {
		return err
	}
	dst := reflect.ValueOf(flat)
	if dst.Type() != reflect.TypeOf(buf.flat) || dst.Len() != buf.shape.Size() {
		return errors.Errorf("cannot copy %s to %s of %d elements", buf.shape, dst.Type(), dst.Len())
	}
	reflect.Copy(dst, reflect.ValueOf(buf.flat))
	return nil
}

// BufferFromFlatData implements backends.DataInterface.
func (b *Backend) BufferFromFlatData(_ backends.DeviceNum, flat any, shape shapes.Shape) (backends.Buffer, error) {
	if _, ok := types[shape.DType]; !ok {
		return nil, errors.Errorf("backend %s has no type %s", Name, shape.DType)
	}
	buf := NewBuffer(shape)
	src := reflect.ValueOf(flat)
	if src.Type() != reflect.TypeOf(buf.flat) || src.Len() != shape.Size() {
		return nil, errors.Errorf("cannot make %s from %s of %d elements", shape, src.Type(), src.Len())
	}
	reflect.Copy(reflect.ValueOf(buf.flat), src)
	return buf, nil
}

// HasSharedBuffers implements backends.DataInterface: all memory is shared.
func (b *Backend) HasSharedBuffers() bool { return true }

// NewSharedBuffer implements backends.DataInterface.
func (b *Backend) NewSharedBuffer(_ backends.DeviceNum, shape shapes.Shape) (backends.Buffer, any, error) {
	if _, ok := types[shape.DType]; !ok {
		return nil, nil, errors.Errorf("backend %s has no type %s", Name, shape.DType)
	}
	buf := NewBuffer(shape)
	return buf, buf.flat, nil
}

// BufferData implements backends.DataInterface.
func (b *Backend) BufferData(buffer backends.Buffer) (any, error) {
	buf, err := asBuffer(buffer)
	if err != nil {
		return nil, err
	}
	return buf.flat, nil
}

// Executable is a compiled computation.
type Executable struct {
	program *engine.Program
	inputs  []shapes.Shape
	outputs []shapes.Shape
	in, out []unsafe.Pointer
}

// Finalize implements backends.Executable.
func (e *Executable) Finalize() { e.program = nil }

// Inputs implements backends.Executable.
func (e *Executable) Inputs() ([]string, []shapes.Shape) { return e.program.Names, e.inputs }

// Outputs implements backends.Executable.
func (e *Executable) Outputs() []shapes.Shape { return e.outputs }

// Execute implements backends.Executable. Donated inputs are released, not reused.
func (e *Executable) Execute(inputs []backends.Buffer, donate []bool, _ backends.DeviceNum) ([]backends.Buffer, error) {
	outputs := make([]backends.Buffer, len(e.outputs))
	for i, s := range e.outputs {
		outputs[i] = NewBuffer(s)
	}
	if err := e.run(inputs, outputs, make([]unsafe.Pointer, len(inputs)), make([]unsafe.Pointer, len(outputs))); err != nil {
		return nil, err
	}
	for i, d := range donate {
		if d {
			b := inputs[i].(*Buffer)
			b.flat, b.ptr = nil, nil
		}
	}
	return outputs, nil
}

// ExecuteInto computes into buffers that the caller owns, of the shapes of Outputs, none of them
// also an input. It allocates nothing and is not for concurrent use.
func (e *Executable) ExecuteInto(inputs, outputs []backends.Buffer) error {
	if e.in == nil {
		e.in, e.out = make([]unsafe.Pointer, len(e.inputs)), make([]unsafe.Pointer, len(e.outputs))
	}
	return e.run(inputs, outputs, e.in, e.out)
}

// Arithmetic returns how many multiplications and additions of convolutions, linear layers and their gradients a run
// does, and how many one core can do a second, which it measures.
func (e *Executable) Arithmetic() (flops, peak float64) {
	if e.program == nil {
		return 0, 0
	}
	return e.program.Arithmetic(), kernel.Active.Peak()
}

// Explain runs the computation a few times on one thread and returns a table of what it does: loops,
// operations, shapes, bytes, floating-point operations, times.
func (e *Executable) Explain(inputs []backends.Buffer) (string, error) {
	if e.program == nil {
		return "", errors.New("the executable was finalized")
	}
	in, out := make([]unsafe.Pointer, len(e.inputs)), make([]unsafe.Pointer, len(e.outputs))
	outputs := make([]backends.Buffer, len(e.outputs))
	for i, s := range e.outputs {
		outputs[i] = NewBuffer(s)
	}
	if err := pointers("input", inputs, e.inputs, in); err != nil {
		return "", err
	}
	if err := pointers("output", outputs, e.outputs, out); err != nil {
		return "", err
	}
	return e.program.Explain(in, out, 5)
}

func (e *Executable) run(inputs, outputs []backends.Buffer, in, out []unsafe.Pointer) error {
	if e.program == nil {
		return errors.New("the executable was finalized")
	}
	if err := pointers("input", inputs, e.inputs, in); err != nil {
		return err
	}
	if err := pointers("output", outputs, e.outputs, out); err != nil {
		return err
	}
	return e.program.Run(in, out)
}

func pointers(what string, buffers []backends.Buffer, want []shapes.Shape, p []unsafe.Pointer) error {
	if len(buffers) != len(want) {
		return errors.Errorf("%d %ss given, the computation has %d", len(buffers), what, len(want))
	}
	for i, b := range buffers {
		buf, err := asBuffer(b)
		if err != nil {
			return errors.WithMessagef(err, "%s %d", what, i)
		}
		if !buf.shape.Equal(want[i]) {
			return errors.Errorf("%s %d has shape %s, expected %s", what, i, buf.shape, want[i])
		}
		p[i] = buf.ptr
	}
	return nil
}
