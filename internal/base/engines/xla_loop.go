//go:build xla

package engines

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/gomlx/go-xla/pkg/pjrt"
	"github.com/gomlx/go-xla/pkg/stablehlo"
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/xla"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// looping is GoMLX's backend with what it lacks: a loop in the program. Its builder makes text in which a loop is a few lines
// more; but builder, client and values are private there (GoMLX 0.26), so that they are read by their names.
type looping struct{ *xla.Backend }

// Loop implements gx.Looper.
func (l looping) Loop(b backends.Builder, outputs []backends.Op) (_ backends.Executable, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("XLA: a loop: %v", r)
		}
	}()
	text, e, err := loopText(b, outputs)
	if err != nil {
		return nil, err
	}
	e.backend = l.Backend
	if e.program, err = private[*pjrt.Client](l.Backend, "client").Compile().WithStableHLO(text).Done(); err != nil {
		return nil, fmt.Errorf("XLA: compiling a loop: %w", err)
	}
	return e, nil
}

// private reads a private field of a struct.
func private[T any](of any, field string) T {
	f := reflect.ValueOf(of).Elem().FieldByName(field)
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Interface().(T) //nolint:gosec // GoMLX has no other way
}

// loopText returns the program in StableHLO with its step as a function, and a main that calls it n times: n is its first
// input.
func loopText(b backends.Builder, outputs []backends.Op) ([]byte, *loop, error) {
	e := &loop{names: private[[]string](b, "parameterNames"), inputs: private[[]shapes.Shape](b, "parameterShapes")}
	var values []*stablehlo.Value
	for k, o := range outputs {
		shape := private[shapes.Shape](o, "shape")
		if k >= len(e.inputs) || !shape.Equal(e.inputs[k]) {
			return nil, nil, fmt.Errorf("output %d of a loop is %s; expected the shape of the input", k, shape)
		}
		e.outputs, values = append(e.outputs, shape), append(values, private[*stablehlo.Value](o, "value"))
	}
	step := private[*stablehlo.Function](b, "fn")
	if err := step.Return(values...); err != nil {
		return nil, nil, err
	}
	step.Name = "step"
	var text bytes.Buffer
	if err := private[*stablehlo.Builder](b, "builder").Write(&text); err != nil {
		return nil, nil, err
	}
	module, ok := bytes.CutSuffix(bytes.TrimSpace(text.Bytes()), []byte("}"))
	if !ok {
		return nil, nil, fmt.Errorf("XLA: a program that doesn't end in }: %.100q", text.String())
	}
	module = bytes.Replace(module, []byte("func.func @step("), []byte("func.func private @step("), 1)
	return append(module, loopMain(e.inputs, len(outputs))...), e, nil
}

// loopMain is the main function, in MLIR's generic form, and the module's end.
func loopMain(inputs []shapes.Shape, carried int) string {
	types := make([]string, len(inputs))
	for k, s := range inputs {
		types[k] = xla.ShapeToXLA(s).ToStableHLO()
	}
	// list is a list of values of a name, with their types if asked.
	list := func(name string, from, to int, typed bool) string {
		var out []string
		for k := from; k < to; k++ {
			v := fmt.Sprintf("%%%s%d", name, k)
			if typed {
				v += ": " + types[k]
			}
			out = append(out, v)
		}
		return strings.Join(out, ", ")
	}
	whole, kept := strings.Join(types, ", "), strings.Join(types[:carried], ", ")
	all := len(inputs)
	var results []string
	for k := range carried {
		results = append(results, fmt.Sprintf("%%end#%d", k+2))
	}
	var next []string
	for k := range carried {
		next = append(next, fmt.Sprintf("%%out#%d", k))
	}
	if carried == 1 {
		next = []string{"%out"}
	}
	const number = "tensor<i32>"
	return fmt.Sprintf(`
  func.func @main(%%n: %[1]s, %[2]s) -> (%[3]s) {
    %%zero = "stablehlo.constant"() { value = dense<0> : %[1]s } : () -> %[1]s
    %%end:%[4]d = "stablehlo.while"(%%zero, %%n, %[5]s) ({
      ^bb0(%%ci: %[1]s, %%cn: %[1]s, %[6]s):
        %%more = "stablehlo.compare"(%%ci, %%cn) { comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type SIGNED> } : (%[1]s, %[1]s) -> tensor<i1>
        "stablehlo.return"(%%more) : (tensor<i1>) -> ()
    }, {
      ^bb0(%%di: %[1]s, %%dn: %[1]s, %[7]s):
        %%one = "stablehlo.constant"() { value = dense<1> : %[1]s } : () -> %[1]s
        %%i = "stablehlo.add"(%%di, %%one) : (%[1]s, %[1]s) -> %[1]s
        %%out%[8]s = "func.call"(%[9]s) { callee = @step } : (%[10]s) -> (%[3]s)
        "stablehlo.return"(%%i, %%dn, %[11]s) : (%[1]s, %[1]s, %[10]s) -> ()
    }) : (%[1]s, %[1]s, %[10]s) -> (%[1]s, %[1]s, %[10]s)
    "func.return"(%[12]s) : (%[3]s) -> ()
  }
}
`, number, list("a", 0, all, true), kept, all+2, list("a", 0, all, false), list("c", 0, all, true), list("d", 0, all, true),
		count(carried), list("d", 0, all, false), whole, strings.TrimSuffix(strings.Join(next, ", ")+", "+list("d", carried, all, false), ", "),
		strings.Join(results, ", "))
}

// count is how MLIR counts the values of a result of several.
func count(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(":%d", n)
}

// loop is a compiled loop.
type loop struct {
	backend         *xla.Backend
	program         *pjrt.LoadedExecutable
	names           []string
	inputs, outputs []shapes.Shape
}

// Finalize implements backends.Executable.
func (e *loop) Finalize() { _ = e.program.Destroy() }

// Inputs implements backends.Executable.
func (e *loop) Inputs() ([]string, []shapes.Shape) { return e.names, e.inputs }

// Outputs implements backends.Executable.
func (e *loop) Outputs() []shapes.Shape { return e.outputs }

// Execute implements backends.Executable: once.
func (e *loop) Execute(inputs []backends.Buffer, _ []bool, _ backends.DeviceNum) ([]backends.Buffer, error) {
	return e.Repeat(1, inputs)
}

// Repeat implements gx.Repeater.
func (e *loop) Repeat(n int, inputs []backends.Buffer) ([]backends.Buffer, error) {
	times, err := e.backend.BufferFromFlatData(0, []int32{int32(n)}, shapes.Make(dtypes.Int32))
	if err != nil {
		return nil, err
	}
	given := []*pjrt.Buffer{times.(*pjrt.Buffer)}
	for _, b := range inputs {
		given = append(given, b.(*pjrt.Buffer))
	}
	got, err := e.program.Execute(given...).Done()
	if err != nil {
		return nil, fmt.Errorf("XLA: running a loop: %w", err)
	}
	out := make([]backends.Buffer, len(got))
	for k, b := range got {
		out[k] = b
	}
	return out, e.backend.BufferFinalize(times)
}
