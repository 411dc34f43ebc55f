package evaluate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
)

// ofTwo is a network of two classes, and what computes it.
func ofTwo(t *testing.T) (backends.Backend, *model.Network) {
	t.Helper()
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 2, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	return b, n
}

// A label that the network has no logit for, one of no class, and pixels of fewer images are errors.
func TestLabelsAreOfTheNetwork(t *testing.T) {
	b, n := ofTwo(t)
	e, err := evaluate.Of(b, n, n.Init(1))
	if err != nil {
		t.Fatal(err)
	}
	set := func(label int32, images int) *dataset.Set {
		return &dataset.Set{Height: 8, Width: 8, Classes: []string{"a", "b", "c"}, Labels: []int32{0, label}, Pixels: make([]uint8, images*8*8*3)}
	}
	for want, s := range map[string]*dataset.Set{"the network knows 0 to 1": set(2, 2), "the label 3": set(3, 2), "384 bytes": set(1, 1), "found nil": nil} {
		_, accuracy := e.Accuracy(context.Background(), s)
		_, losses := e.Losses(context.Background(), s)
		for _, err := range []error{accuracy, losses} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, expected %q", err, want)
			}
		}
	}
	if r, err := e.Accuracy(context.Background(), set(1, 2)); err != nil || len(r.PerClass) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A pass over images that there are not is an error.
func TestPassIsOverImages(t *testing.T) {
	b, n := ofTwo(t)
	set := &dataset.Set{Height: 8, Width: 8, Classes: []string{"a", "b"}, Labels: make([]int32, 3), Pixels: make([]uint8, 3*8*8*3)}
	for _, images := range [][]int{{0, 3}, {-1, 2}} {
		err := evaluate.Here{Backend: b, Set: set}.Pass(context.Background(), evaluate.Pass{Network: n, State: n.Init(1)}, images, func(int, []float32) {})
		if err == nil || !strings.Contains(err.Error(), "of 0 to 2") {
			t.Errorf("%v: %v", images, err)
		}
	}
}
