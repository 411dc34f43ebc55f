package attack

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// After a short training the decoder reads the hidden bits, from images as bytes hold them; the change is small and another
// one in each image.
func TestISSBAHidesMessages(t *testing.T) {
	d := small()
	c, err := Parse("issba:bits=2,steps=50,target=3")
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(ctx, c, d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	marked, err := a.Marked(ctx, d.Test)
	if err != nil {
		t.Fatal(err)
	}
	m := a.trigger.(*messenger)
	read, err := a.lab.frozen("read", m.decoder, m.decoderState, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		return []*Node{net(gx.Input(g, "x", 100, d.Test.Height, d.Test.Width, 3)).Logits}
	})
	if err != nil {
		t.Fatal(err)
	}
	right := func(pixels []uint8) float64 {
		x, bits := make([]float32, len(pixels)), make([]float32, 100*m.Bits)
		augment.Plain(x, pixels)
		if err := read.Call(len(m.decoderState), x); err != nil {
			t.Fatal(err)
		}
		if err := read.Get(0, bits); err != nil {
			t.Fatal(err)
		}
		n := 0
		for i, b := range bits {
			if b*m.secret[i%m.Bits] > 0 {
				n++
			}
		}
		return float64(n) / float64(len(bits))
	}
	if r := right(marked.Pixels); r < 0.9 {
		t.Errorf("%.2f of the bits are read right", r)
	}
	var first []int
	for i := range 2 {
		var change []int
		for k, v := range marked.Image(i) {
			by := int(v) - int(d.Test.Image(i)[k])
			if math.Abs(float64(by)) > 24.5 {
				t.Fatalf("a value changed by %d", by)
			}
			change = append(change, by)
		}
		if i == 1 && slices.Equal(change, first) {
			t.Error("two images have the same trigger")
		}
		first = change
	}
}
