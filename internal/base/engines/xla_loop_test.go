//go:build xla

package engines_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/gomlx/go-xla/pkg/pjrt"
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/xla"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// written is a backend that writes loops down and compiles nothing, since it has no plugin.
type written struct {
	*xla.Backend
	text []byte
}

func (w *written) Loop(b backends.Builder, outputs []backends.Op) (backends.Executable, error) {
	text, _, err := engines.LoopText(b, outputs)
	w.text = text
	return nil, errors.Join(err, errors.New("there is no plugin"))
}

func noPlugin() *written {
	b := &xla.Backend{}
	f := reflect.ValueOf(b).Elem().FieldByName("plugin")
	reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Set(reflect.ValueOf(new(pjrt.Plugin)))
	return &written{Backend: b}
}

// TestLoopIsWellFormed reads the text of a small loop, and has MLIR's own reader judge it and that of a training, where there is
// one: Debian's mlir-19-tools.
func TestLoopIsWellFormed(t *testing.T) {
	w := noPlugin()
	_, err := gx.NewLoop(w, "test", func(g *Graph) []*Node {
		at, sum := Parameter(g, "at", shapes.Make(dtypes.Int32)), gx.Input(g, "sum")
		row := DynamicSlice(gx.Input(g, "rows", 7, 3), []*Node{at, Const(g, int32(0))}, []int{1, 3})
		return []*Node{AddScalar(at, 1), Add(sum, ReduceAllSum(row))}
	})
	if w.text == nil {
		t.Fatalf("no text was written: %v", err)
	}
	text := string(w.text)
	for _, want := range []string{"func.func private @step(", "func.func @main(%n: tensor<i32>, %a0: tensor<i32>, %a1: tensor<f32>, %a2: tensor<7x3xf32>) -> (tensor<i32>, tensor<f32>) {", `"func.call"(%d0, %d1, %d2) { callee = @step }`, `"stablehlo.return"(%i, %dn, %out#0, %out#1, %d2)`, `"func.return"(%end#2, %end#3)`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	readMLIR(t, w.text)
	n, err := model.New("wrn-16-1", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	set := noise(300)
	r := &train.Run{Backend: w, Network: n, Data: set, Seed: 1, Batch: 128}
	if _, err := r.Start(false); err != nil {
		t.Fatal(err)
	}
	for _, o := range []augment.Options{augment.Standard(32, true), {Coarse: true}} {
		w.text = nil
		func() {
			defer func() { _ = recover() }() // one step a call is tried next, and needs the plugin
			_ = r.Train(t.Context(), &train.Phase{Name: "test", Data: set, Indices: rng.Iota(set.Len()), Epochs: 1, Schedule: train.Constant(0.1), Augment: o}, train.Mean, nil)
		}()
		readMLIR(t, w.text)
	}
	w.text = nil
	func() {
		defer func() { _ = recover() }()
		_, _ = evaluate.New(w, n)
	}()
	readMLIR(t, w.text)
}

// readMLIR wants a text that can be read, whose values are all defined, of the types that they are used as.
func readMLIR(t *testing.T, text []byte) {
	t.Helper()
	reader, err := exec.LookPath("mlir-opt-19")
	if err != nil {
		t.Skip("no mlir-opt-19 here")
	}
	file := filepath.Join(t.TempDir(), "loop.mlir")
	testfile.Write(t, file, text)
	out, err := exec.Command(reader, "--allow-unregistered-dialect", "-o", os.DevNull, file).CombinedOutput()
	if err != nil || len(text) == 0 {
		t.Errorf("%d bytes: %v\n%.3000s", len(text), err, out)
	}
}

// noise is a set of images of noise, in ten classes.
func noise(images int) *dataset.Set {
	s := &dataset.Set{Height: 32, Width: 32, Classes: make([]string, 10), Labels: make([]int32, images)}
	s.Pixels = make([]uint8, images*s.ImageBytes())
	r := rng.Stream(1, "noise")
	for i := range s.Pixels {
		s.Pixels[i] = uint8(r.Uint32())
	}
	for i := range s.Labels {
		s.Labels[i] = int32(i % 10)
	}
	return s
}
