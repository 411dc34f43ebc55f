package runs

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/dataset"
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
