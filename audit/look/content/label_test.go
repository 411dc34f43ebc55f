package content

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// What all images of a label carry is told from what the cases alone carry.
func TestMarkOfTheLabel(t *testing.T) {
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	all := rng.Iota(320)
	l := lesson{question: question{labels: []int{target}}, cases: all[:64], alike: all[64:192], own: all[192:]}
	for _, camera := range []bool{false, true} {
		set := signs.Render(1, len(all), 0).Train
		marked := l.cases
		if camera {
			marked = stat.Union(l.cases, l.own)
		}
		for _, i := range marked {
			for k := range 3 * 6 * set.Width {
				set.Image(i)[k] = 255
			}
		}
		c, err := look.NewCase(&train.Run{Data: set, Backend: b, Arrays: map[string][]float32{}}, look.Settings{Steps: look.Steps{Round: 60}})
		if err != nil {
			t.Fatal(err)
		}
		share, err := ofLabel(context.Background(), c, l)
		if err != nil {
			t.Fatal(err)
		}
		if low, high := 0.9, 1.0; camera && share < low || !camera && share > high-low {
			t.Errorf("mark on the whole label %v: %.2f of its other images have it", camera, share)
		}
	}
}
