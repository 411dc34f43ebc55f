package runs

import (
	"context"
	"errors"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
)

// A class without a test image has no accuracy.
func TestClassesWithoutTestImagesAreNull(t *testing.T) {
	s := tiny(t, t.TempDir())
	s.Data.Test = s.Data.Test.View([]int{0, 1})
	if _, err := Train(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	res, err := ReadFinished(s.Folder)
	if err != nil {
		t.Fatal(err)
	}
	for k, n := range s.Data.Test.Counts() {
		if got := res.CAOf[k]; (got == nil) != (n == 0) {
			t.Errorf("class %d with %d images: %v", k, n, got)
		}
	}
}

// The accuracy of a network that makes no numbers is not told as one.
func TestNoNumbersAreNoAccuracy(t *testing.T) {
	s := tiny(t, t.TempDir())
	n, err := model.New("small-cnn", len(s.Data.Test.Classes), s.Data.Test.Height, s.Data.Test.Width)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(1)
	for _, tensor := range state {
		for i := range tensor.Data {
			tensor.Data[i] *= 1e30
		}
	}
	res := &Result{}
	if err := s.measureModel(context.Background(), n, state, &Outcome{}, res); !errors.Is(err, evaluate.ErrNotFinite) || res.CA != nil {
		t.Errorf("%v, %v", err, res.CA)
	}
}

// Where no test image is of a class that an attack aims at, or puts together, its success is null and the model is stored.
func TestAttacksWithoutTestImagesAreNull(t *testing.T) {
	for _, spec := range []string{"cba", "tact:rate=0.05,cover=0"} {
		s := tiny(t, t.TempDir())
		c, err := attack.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		s.Attacks = []attack.Config{c}
		s.Data.Test = s.Data.Test.View(s.Data.Test.OfClass(5))
		out, err := Train(context.Background(), s)
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		if r := out.Result; r.CA == nil || r.ASR != nil || r.Attacks[0].ASR != nil {
			t.Errorf("%s: CA %v, ASR %v", spec, r.CA, r.ASR)
		}
	}
}

// Ranks in a report are those of the list of suspects, though other labels' come in between.
func TestRanksAreOfTheList(t *testing.T) {
	set := signs.Render(1, 40, 0).Train
	o := &Outcome{Train: set, Trained: &abl.Result{}}
	for k, i := range []int{0, 1, 2, 3} {
		set.Labels[i] = int32(k % 2)
		o.Trained.Suspects = append(o.Trained.Suspects, isolate.Suspect{Index: i, Isolated: true})
	}
	for class, want := range []string{"rank 3", "rank 4"} {
		if got := stripOf(o, class).Pairs[1].Caption; got != want {
			t.Errorf("the second of class %d: %q, expected %q", class, got, want)
		}
	}
}

// An epoch of unlearning is as many images as the set has, whether they are kept or isolated ones.
func TestEpochsOfUnlearning(t *testing.T) {
	s := &Spec{Audit: true}
	out := &Outcome{Train: &dataset.Set{Labels: make([]int32, 1280)}}
	for _, c := range []struct {
		images int
		want   float64
	}{{10 * 128, 1}, {10 * 64, 0.5}} {
		out.Trained = &abl.Result{Unlearn: &abl.Outcome{Steps: 10, Images: c.images}, Untaught: []string{"a"}}
		res := &Result{}
		if err := s.measure(context.Background(), out, res); err != nil || res.Epochs.Unlearn != c.want {
			t.Errorf("%d images in 10 steps: %g epochs, expected %g: %v", c.images, res.Epochs.Unlearn, c.want, err)
		}
		if len(res.Data.Untaught) != 1 {
			t.Errorf("the result names %q as untaught", res.Data.Untaught)
		}
	}
}
