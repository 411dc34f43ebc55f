package detect

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/written"
	"github.com/unpoison/unpoison/model"
)

// Detectors that change images give the memory of their copies back.
func TestCopiesAreGivenBack(t *testing.T) {
	store, folder := t.TempDir(), filepath.Join(t.TempDir(), "data")
	if err := dataset.Write("folder", folder, signs.Render(1, 30, 20)); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Load(t.Context(), folder, dataset.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if !d.Train.Mapped() {
		t.Skip("files are not mapped on this system")
	}
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
