//go:build xla

package engines

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

	"github.com/unpoison/unpoison/internal/base/gx"
)

// written is a backend that writes loops down and compiles nothing, since it has no plugin.
type written struct {
	*xla.Backend
	text []byte
}

func (w *written) Loop(b backends.Builder, outputs []backends.Op) (backends.Executable, error) {
	text, _, err := loopText(b, outputs)
	w.text = text
	return nil, errors.Join(err, errors.New("there is no plugin"))
}

func noPlugin() *written {
	b := &xla.Backend{}
	f := reflect.ValueOf(b).Elem().FieldByName("plugin")
	reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Set(reflect.ValueOf(new(pjrt.Plugin)))
	return &written{Backend: b}
}

// loopOf returns the text of a graph whose outputs are carried.
func loopOf(t *testing.T, build func(g *Graph) []*Node) string {
	t.Helper()
	w := noPlugin()
	_, err := gx.NewLoop(w, "test", build)
	if w.text == nil {
		t.Fatalf("no text was written: %v", err)
	}
	return string(w.text)
}

// TestLoopIsWellFormed has MLIR's own reader judge the text, where there is one: Debian's mlir-19-tools.
func TestLoopIsWellFormed(t *testing.T) {
	text := loopOf(t, func(g *Graph) []*Node {
		at, sum := Parameter(g, "at", shapes.Make(dtypes.Int32)), gx.Input(g, "sum")
		row := DynamicSlice(gx.Input(g, "rows", 7, 3), []*Node{at, Const(g, int32(0))}, []int{1, 3})
		return []*Node{AddScalar(at, 1), Add(sum, ReduceAllSum(row))}
	})
	for _, want := range []string{"func.func private @step(", "func.func @main(%n: tensor<i32>, %a0: tensor<i32>, %a1: tensor<f32>, %a2: tensor<7x3xf32>) -> (tensor<i32>, tensor<f32>) {", `"func.call"(%d0, %d1, %d2) { callee = @step }`, `"stablehlo.return"(%i, %dn, %out#0, %out#1, %d2)`, `"func.return"(%end#2, %end#3)`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	reader, err := exec.LookPath("mlir-opt-19")
	if err != nil {
		t.Skip("no mlir-opt-19 here")
	}
	file := filepath.Join(t.TempDir(), "loop.mlir")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(reader, "--allow-unregistered-dialect", "--verify-each", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, text)
	}
}
