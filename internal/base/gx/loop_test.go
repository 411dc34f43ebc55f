package gx

import (
	"errors"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/internal/testkit/repeating"
)

// TestRepeat: a program run again and again goes on from where it was, whoever repeats it.
func TestRepeat(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	far := &repeating.Backend{Backend: elsewhere{b, &held}}
	for _, b := range []backends.Backend{b, far} {
		f, err := NewLoop(b, "double", func(g *Graph) []*Node {
			at, by := Input(g, "at", 2), Input(g, "by", 2)
			return []*Node{Mul(at, by)}
		})
		if err != nil {
			t.Fatal(err)
		}
		before := held
		if err := f.Set(0, []float32{1, 3}); err != nil {
			t.Fatal(err)
		}
		if err := f.Set(1, []float32{2, -1}); err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 2)
		for _, c := range []struct {
			n    int
			want []float32
		}{{3, []float32{8, -3}}, {1, []float32{16, 3}}} {
			if err := f.Repeat(c.n); err != nil {
				t.Fatal(err)
			}
			if err := f.Get(0, got); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%d times more: %g, expected %g", c.n, got, c.want)
			}
		}
		if held != before {
			t.Errorf("%d buffers are held, %d before", held, before)
		}
	}
	if far.Calls != 2 || far.Steps != 4 {
		t.Errorf("%d calls of %d steps in all", far.Calls, far.Steps)
	}
}

// short is a backend whose loops end a step too soon.
type short struct{ *repeating.Backend }

type hasty struct {
	backends.Executable
	Repeater
}

func (s short) Loop(b backends.Builder, outputs []backends.Op) (backends.Executable, error) {
	e, err := s.Backend.Loop(b, outputs)
	return hasty{e, e.(Repeater)}, err
}

func (h hasty) Repeat(n int, inputs []backends.Buffer) ([]backends.Buffer, error) {
	return h.Repeater.Repeat(n-1, inputs)
}

// TestLoops: an engine whose loops fail, or give something else, is told from one whose loops work.
func TestLoops(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	good := &repeating.Backend{Backend: b}
	for want, all := range map[bool][]Looper{true: {good}, false: {short{good}, &repeating.Backend{Backend: b, Fail: errors.New("no loops")}}} {
		for _, l := range all {
			if Loops(l) != want {
				t.Errorf("%T: expected %t", l, want)
			}
		}
	}
}
