package evaluate_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/repeating"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// Few images have the results, to the last digit, that they have among many.
func TestFewImagesAreTheSame(t *testing.T) {
	b, err := cpu.New("threads=1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		arch  string
		side  int
		large bool
	}{{"small-cnn", 9, false}, {"wrn-16-1", 32, false}, {"preact-resnet-18", 32, true}, {"resnet-34", 64, true}} {
		counts := []int{0, 1, 2, 5, 9, 1000}
		if c.large {
			if testing.Short() {
				continue
			}
			counts = []int{1}
		}
		n, err := model.New(c.arch, 3, c.side, c.side)
		if err != nil {
			t.Fatal(err)
		}
		set := &dataset.Set{Height: c.side, Width: c.side, Classes: []string{"a", "b", "c"}, Labels: make([]int32, 9)}
		r := rng.Stream(1, "few images")
		for range set.Len() * set.ImageBytes() {
			set.Pixels = append(set.Pixels, uint8(r.Uint32()))
		}
		state := n.Init(3)
		want := logits(t, set)(evaluate.Of(b, n, state))
		for _, images := range counts {
			t.Run(fmt.Sprint(c.arch, " ", images), func(t *testing.T) {
				for _, engine := range []backends.Backend{b, &repeating.Backend{Backend: b}} {
					if got := logits(t, set)(evaluate.ForFew(engine, n, state, images)); !slices.Equal(got, want) {
						t.Error("other logits")
					}
				}
			})
		}
	}
}

// logits are all that an evaluator makes of a set.
func logits(t *testing.T, set *dataset.Set) func(e *evaluate.Evaluator, err error) []float32 {
	return func(e *evaluate.Evaluator, err error) (out []float32) {
		t.Helper()
		if err == nil {
			err = e.Logits(t.Context(), set, func(_ int, z []float32) { out = append(out, z...) })
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}
