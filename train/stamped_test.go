package train

import (
	"context"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset/signs"
)

// An image takes part as it is and stamped, with the same crop: what tells the two apart is the stamp.
func TestPhaseStamps(t *testing.T) {
	p := &Phase{Name: "test", Data: signs.Render(1, 20, 0).Train, Batch: 1, Augment: augment.Standard(32, true), Seed: 3}
	p.Indices = []int{3, 7, 9}
	white := &augment.Stamp{Scale: make([]float32, p.Data.ImageBytes()), Shift: make([]float32, p.Data.ImageBytes())}
	for k := range white.Scale {
		white.Scale[k] = 1
	}
	white.Scale[0], white.Shift[0] = 0, 1
	p.More = []Example{{Image: 7, Stamp: white}, {Image: 7}}
	shown := map[bool][]float32{} // by whether it is stamped
	if err := Loop(context.Background(), p.Data, 1, 0, p.Len(), p.filler(p.Len()), func(_ int, b *Batch) error {
		if stamped := b.Images[0] < 0 && b.X[0] == 1; stamped || b.Images[0] == 7 {
			shown[stamped] = slices.Clone(b.X)
			if b.Labels[0] != p.Data.Labels[7] {
				t.Errorf("the label is %d, expected %d", b.Labels[0], p.Data.Labels[7])
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	plain, stamped := shown[false], shown[true]
	if len(plain) == 0 || len(stamped) == 0 || stamped[0] != 1 || plain[0] == 1 {
		t.Fatalf("image 7 was shown in %d ways", len(shown))
	}
	for k, v := range plain {
		if k > 0 && stamped[k] != v {
			t.Fatalf("value %d is %g, stamped %g", k, v, stamped[k])
		}
	}
}
