package gx

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/backend/cpu"
)

// elsewhere is the CPU engine as if it computed on a device with memory of its own, as XLA does on a GPU: buffers can't
// be seen, and every run makes new ones. It counts those that were never given back.
type elsewhere struct {
	backends.Backend
	held *int
}

type elsewhereBuilder struct {
	backends.Builder
	held *int
}

type elsewhereExecutable struct {
	backends.Executable
	held *int
}

func (e elsewhere) HasSharedBuffers() bool { return false }

func (e elsewhere) Builder(name string) backends.Builder {
	return elsewhereBuilder{e.Backend.Builder(name), e.held}
}

func (e elsewhere) BufferFromFlatData(d backends.DeviceNum, flat any, s shapes.Shape) (backends.Buffer, error) {
	*e.held++
	return e.Backend.BufferFromFlatData(d, flat, s)
}

func (e elsewhere) BufferFinalize(b backends.Buffer) error {
	*e.held--
	return e.Backend.BufferFinalize(b)
}

func (b elsewhereBuilder) Compile(outputs []backends.Op, s []*backends.ShardingSpec) (backends.Executable, error) {
	e, err := b.Builder.Compile(outputs, s)
	return elsewhereExecutable{e, b.held}, err
}

func (e elsewhereExecutable) Execute(in []backends.Buffer, donate []bool, d backends.DeviceNum) ([]backends.Buffer, error) {
	out, err := e.Executable.Execute(in, donate, d)
	*e.held += len(out)
	return out, err
}

// TestEnginesElsewhere wants carried outputs, inputs and results to be the same on both kinds of engines, and no buffer
// to be lost on the way.
func TestEnginesElsewhere(t *testing.T) {
	here, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	run := func(b backends.Backend) (sums []float64, state []float32) {
		f, err := NewFunction(b, "walk", 1, func(g *Graph) []*Node {
			at, step := Input(g, "at", 4), Input(g, "step", 4)
			times := Parameter(g, "times", shapes.Make(dtypes.Int32))
			next := Add(at, Mul(step, ConvertDType(times, dtypes.Float32)))
			return []*Node{next, ReduceAllSum(next)}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Set(0, []float32{1, 2, 3, 4}); err != nil {
			t.Fatal(err)
		}
		after := 0
		for k := range int32(5) {
			if err := f.Call(1, []float32{1, 0.5, float32(k), -1}, []int32{k}); err != nil {
				t.Fatal(err)
			}
			if k == 0 {
				after = held
			}
			sum, err := f.Number(1)
			if err != nil {
				t.Fatal(err)
			}
			sums = append(sums, sum)
		}
		if held != after {
			t.Errorf("%d buffers after one call, %d after five", after, held)
		}
		state = make([]float32, 4)
		if err := f.Get(0, state); err != nil {
			t.Fatal(err)
		}
		return sums, state
	}
	sums, state := run(here)
	theirSums, theirState := run(elsewhere{here, &held})
	if want := []float32{11, 7, 33, -6}; !slices.Equal(state, want) {
		t.Errorf("state %v, expected %v", state, want)
	}
	if !slices.Equal(sums, theirSums) || !slices.Equal(state, theirState) {
		t.Errorf("%v %v and elsewhere %v %v", sums, state, theirSums, theirState)
	}
	if held == 0 {
		t.Error("nothing was computed elsewhere")
	}
}
