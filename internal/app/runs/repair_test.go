package runs

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/written"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
	"github.com/unpoison/unpoison/train"
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

// What was planted in copies of mapped images takes no memory once a run is over, or has failed.
func TestPlantedCopiesAreGivenBack(t *testing.T) {
	d, store := written.Mapped(t, signs.Render(1, 120, 40))
	s := tiny(t, "")
	second, err := attack.Parse("blend:target=3")
	if err != nil {
		t.Fatal(err)
	}
	s.Data = d
	base := untrained(t, s)
	given := func(what string) {
		t.Helper()
		if kb := written.KB(t, store); kb > 0 {
			t.Errorf("%s: %d kB are still taken", what, kb)
		}
	}
	given("before")
	copied := d.Test.Clone()
	if copied.Image(0)[0]++; written.KB(t, store) == 0 {
		t.Fatal("a change takes no memory")
	}
	copied.Discard()
	for name, defense := range map[string]Defense{"before": Before, "unlearn": Unlearning("ft-last")} {
		r := RepairSpec{Spec: s, Base: base, Suspects: base, Tune: repair.DefaultUnlearn(0)}
		r.Attacks = append(r.Attacks, second)
		r.Folder, r.Defense, r.Tune.Epochs = filepath.Join(t.TempDir(), name), defense, 1
		if res, err := RunRepair(context.Background(), r); err != nil || res.ASR == nil || res.Attacks[1].RA == nil {
			t.Fatal(res, err)
		}
		given(name)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.Watch = func(Event) { stop() }
	s.Folder = filepath.Join(t.TempDir(), "run")
	if _, err := Train(ctx, s); err == nil {
		t.Fatal("a run that was stopped did not fail")
	}
	given("a run that failed")
}

// Methods that train augment as the recipe says.
func TestUnlearningAugmentsAsTheRecipe(t *testing.T) {
	s := tiny(t, "")
	set := signs.Render(1, 135, 0).Train
	n, err := model.New("small-cnn", len(set.Classes), set.Height, set.Width)
	if err != nil {
		t.Fatal(err)
	}
	for _, augmented := range []bool{false, true} {
		j := &repair.UnlearnJob{Backend: s.Backend, Network: n, State: n.Init(1), Data: set, Options: repair.DefaultUnlearn(0)}
		j.Options.Epochs = 1
		recipe := train.Recipe{Augment: augmented, Flip: true}
		if _, err := TuneOn(t.Context(), "ft-last", j, isolate.Split(make([]float32, set.Len()), 0.05, 0, 0), recipe); err != nil {
			t.Fatal(err)
		}
		if is := j.Options.Augment != (augment.Options{}); is != augmented {
			t.Errorf("augmented: %v, expected %v", is, augmented)
		}
	}
}
