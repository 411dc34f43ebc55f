package train

import (
	"context"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/gx"
)

// The loss and its gradient are those of the formula, and stay finite where a label is certain or impossible.
func TestContradict(t *testing.T) {
	each := []float32{0, 0.01, 0.7, 2.3, 60, 0, 0.01, 0.7, 2.3, 60}
	weight := []float32{1, 1, 2, 1, 1, -1, -1, -2, -1, -1}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n := len(each)
	f, err := gx.NewFunction(b, "contradict", 0, func(g *Graph) []*Node {
		x := gx.Input(g, "each", n)
		loss := Contradict(x, gx.Input(g, "weight", n))
		return []*Node{loss, Gradient(loss, x)[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Call(0, each, weight); err != nil {
		t.Fatal(err)
	}
	got, err := f.Number(0)
	if err != nil {
		t.Fatal(err)
	}
	slope := make([]float32, n)
	if err := f.Get(1, slope); err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i, l := range each {
		w, l := float64(weight[i]), float64(l)
		d := w / float64(n)
		if w < 0 {
			p := math.Exp(-max(l, surest))
			want -= w * -math.Log1p(-p) / float64(n)
			if d *= p / (1 - p); l < surest {
				d = 0
			}
		} else {
			want += w * l / float64(n)
		}
		if math.Abs(float64(slope[i])-d) > 1e-4*max(1, math.Abs(d)) {
			t.Errorf("loss %g, weight %g: the gradient is %g, expected %g", l, w, slope[i], d)
		}
	}
	if math.Abs(got-want) > 1e-4 {
		t.Errorf("the loss is %g, expected %g", got, want)
	}
}

// Where all images of a class are counterexamples, they are learnt not to be of it, the others to be of theirs.
func TestPhaseContradicts(t *testing.T) {
	p, l, _ := tiny(t, 20, Contradict)
	p.Augment, p.Indices = augment.Options{}, nil
	for i, l := range p.Data.Labels {
		if l == 3 {
			p.More = append(p.More, Example{Image: i, Wrong: true})
		} else {
			p.Indices = append(p.Indices, i)
		}
	}
	var kept, against float64 // mean losses in the last epoch
	last := func(b *Batch) {
		for k, i := range b.Images {
			if p.Data.Labels[i] == 3 {
				against += float64(b.Losses[k]) / float64(len(p.More))
			} else {
				kept += float64(b.Losses[k]) / float64(len(p.Indices))
			}
		}
	}
	if err := p.Run(context.Background(), l.classify, nil, Hooks{
		Batch: last,
		Epoch: func(epoch int, _ float64) error {
			if epoch < p.Epochs {
				kept, against = 0, 0
			}
			return nil
		},
	}); err != nil {
		t.Fatal(err)
	}
	if kept > 1 || against < 2*math.Ln10 {
		t.Errorf("mean losses of %g, and of %g against the labels", kept, against)
	}
}

// An image takes part as it is and, stamped, for and against its label, with the same crop: what tells them apart is the stamp.
func TestPhaseStamps(t *testing.T) {
	p := &Phase{Name: "test", Data: signs.Render(1, 20, 0).Train, Batch: 1, Augment: augment.Standard(32, true), Seed: 3}
	p.Indices = []int{3, 7, 9}
	white := &augment.Stamp{Scale: make([]float32, p.Data.ImageBytes()), Shift: make([]float32, p.Data.ImageBytes())}
	for k := range white.Scale {
		white.Scale[k] = 1
	}
	white.Scale[0], white.Shift[0] = 0, 1
	p.More = []Example{{Image: 7, Wrong: true}, {Image: 7, Stamp: white, Wrong: true}, {Image: 7, Stamp: white}}
	type way struct {
		weight  float32
		stamped bool
	}
	shown := map[way][]float32{}
	if err := Loop(context.Background(), p.Data, 1, 0, p.Len(), p.filler(p.Len()), func(_ int, b *Batch) error {
		if stamped := b.Images[0] < 0; stamped || b.Images[0] == 7 {
			shown[way{b.Weights[0], stamped}] = slices.Clone(b.X)
			if b.Labels[0] != p.Data.Labels[7] {
				t.Errorf("the label is %d, expected %d", b.Labels[0], p.Data.Labels[7])
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	plain, against := shown[way{1, false}], shown[way{-1, false}]
	stamped, stampedAgainst := shown[way{1, true}], shown[way{-1, true}]
	if len(shown) != 4 || stampedAgainst[0] != 1 || stamped[0] != 1 {
		t.Fatalf("image 7 was shown in %d ways", len(shown))
	}
	for k, v := range plain {
		if against[k] != v || k > 0 && (stampedAgainst[k] != v || stamped[k] != v) {
			t.Fatalf("value %d is %g, against its label %g, stamped %g and %g", k, v, against[k], stampedAgainst[k], stamped[k])
		}
	}
}
