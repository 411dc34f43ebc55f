package train

import (
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// A learner moves what learns and leaves what is frozen.
func TestLearnerDescends(t *testing.T) {
	backend, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	paint, err := model.Custom("paint", 16, 16, func(b *model.Builder, x *Node) *Node {
		return b.Conv("out", b.Relu(b.BatchNorm("bn", b.Conv("in", x, 8, 3, 1))), 3, 3, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	judge, err := model.New("small-cnn", 4, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	modules := []*Module{{Net: judge, State: judge.Init(2), Frozen: true}, {Net: paint, State: paint.Init(1), Adam: true}}
	before, frozen := modules[1].State.Clone(), modules[0].State.Clone()
	in, err := NewLearner(backend, "test", modules, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", 8, 16, 16, 3)
		d := Sub(nets[0](Sigmoid(nets[1](x).Logits)).Taps["features"], nets[0](x).Taps["features"])
		return ReduceAllMean(Mul(d, d)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 8*16*16*3)
	r := rng.Stream(1, "test")
	for i := range x {
		x[i] = r.Float32()
	}
	first, last := 0.0, 0.0
	for k := range 40 {
		if last, err = in.Step([]float64{0, 1e-2}, x); err != nil {
			t.Fatal(err)
		}
		if k == 0 {
			first = last
		}
	}
	if last > first/2 {
		t.Errorf("the loss fell from %g to %g only", first, last)
	}
	if err := in.Store(); err != nil {
		t.Fatal(err)
	}
	same := func(a, b model.State) bool {
		for i := range a {
			for k := range a[i].Data {
				if a[i].Data[k] != b[i].Data[k] {
					return false
				}
			}
		}
		return true
	}
	if same(before, modules[1].State) || !same(frozen, modules[0].State) {
		t.Error("what learns did not move, or what is frozen did")
	}
}
