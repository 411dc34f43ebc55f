package detect

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/written"
	"github.com/unpoison/unpoison/model"
)

// Detectors that change images give the memory of their copies back.
func TestCopiesAreGivenBack(t *testing.T) {
	d, store := written.Mapped(t, signs.Render(1, 30, 20))
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", len(d.Train.Classes), d.Train.Height, d.Train.Width)
	if err != nil {
		t.Fatal(err)
	}
	in := &Input{Backend: b, Network: n, State: n.Init(1), Data: d.Train, Clean: d.Test}
	for _, by := range []Detector{ScaleUp{}, STRIP{}} {
		if _, err := by.Detect(context.Background(), in); err != nil {
			t.Fatal(err)
		}
		if kb := written.KB(t, store); kb > 0 {
			t.Errorf("%s: %d kB are still taken", by.Name(), kb)
		}
	}
}
