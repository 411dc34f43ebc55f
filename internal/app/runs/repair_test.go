package runs

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
)

// untrained writes a network that knows nothing of a run's data, and a list whose first seven images are isolated.
func untrained(t *testing.T, s Spec) (folder string) {
	t.Helper()
	folder = t.TempDir()
	set := s.Data.Train
	n, err := model.New("small-cnn", len(set.Classes), set.Height, set.Width)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Save(filepath.Join(folder, ModelFile), n.Init(1), checkpoint.Info{Arch: n.Arch, Classes: set.Classes, Height: n.Height, Width: n.Width}); err != nil {
		t.Fatal(err)
	}
	var all []isolate.Suspect
	for i := range set.Len() {
		all = append(all, isolate.Suspect{Index: i, Score: float32(i), Isolated: i < 7})
	}
	if err := WriteSuspects(filepath.Join(folder, SuspectsFile), set, all, false); err != nil {
		t.Fatal(err)
	}
	return folder
}

// Methods that watch nothing are given all images that are not isolated: 128 of 135 make batches of 32, fewer smaller ones.
func TestNobodyIsHeldBackWhereNobodyWatches(t *testing.T) {
	s := tiny(t, filepath.Join(t.TempDir(), "tuned"))
	s.Data, s.Attacks, s.Defense = signs.Render(1, 135, 0), nil, Unlearning("ft-last")
	base := untrained(t, s)
	r := RepairSpec{Spec: s, Base: base, Suspects: base, Tune: repair.DefaultUnlearn(0)}
	r.Tune.Epochs = 1
	res, err := RunRepair(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if o := res.Repair.Options.(repair.UnlearnOptions); o.Batch != 32 {
		t.Errorf("a batch of %d, expected 32", o.Batch)
	}
}
