package content

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Networks are asked of all cases and controls, whatever else they are asked of: an image that they say nothing of has no odds at all.
func TestCasesAndControlsAreAsked(t *testing.T) {
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := look.NewCase(&train.Run{Data: signs.Render(1, 80, 0).Train, Backend: b, Arrays: map[string][]float32{}}, look.Settings{Steps: look.Steps{Round: 3}})
	if err != nil {
		t.Fatal(err)
	}
	all := rng.Iota(80)
	l := lesson{question: question{labels: []int{target}}, cases: all[:12], alike: all[12:36], own: all[36:48]}
	more := all[60:62]
	got, err := tell(context.Background(), c, l, more, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, z := range got.z {
		if asked := i < 48 || i == 60 || i == 61; got.asked[i] != asked || (z != 0) != asked {
			t.Errorf("image %d: asked %v, odds %g", i, got.asked[i], z)
		}
	}
}
