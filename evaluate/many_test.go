package evaluate_test

import (
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

// An engine that repeats programs gives the same results, to the last digit: for more batches than a call has, for no image, and of
// places within the network.
func TestManyBatchesACallAreTheSame(t *testing.T) {
	b, err := cpu.New("threads=1")
	if err != nil {
		t.Fatal(err)
	}
	many := &repeating.Backend{Backend: b}
	all := &dataset.Set{Height: 8, Width: 9, Classes: []string{"a", "b", "c"}, Labels: make([]int32, 33*evaluate.Batch+3)}
	r := rng.Stream(1, "many batches")
	for range all.Labels {
		for range all.ImageBytes() {
			all.Pixels = append(all.Pixels, uint8(r.Uint32()))
		}
	}
	n, err := model.New("small-cnn", len(all.Classes), all.Height, all.Width)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(3)
	for _, images := range []int{all.Len(), 5, 0} {
		set := all
		if images < all.Len() {
			set = all.Subset(slices.Repeat([]int{7}, images))
		}
		logits := func(b backends.Backend) (out []float32) {
			e, err := evaluate.Of(b, n, state)
			if err != nil {
				t.Fatal(err)
			}
			next := 0
			if err := e.Logits(t.Context(), set, func(i int, z []float32) {
				if i != next {
					t.Errorf("image %d in place of %d", i, next)
				}
				next++
				out = append(out, z...)
			}); err != nil {
				t.Fatal(err)
			}
			return out
		}
		many.Calls, many.Steps = 0, 0
		if got, want := logits(many), logits(b); !slices.Equal(got, want) {
			t.Errorf("%d images: other logits", images)
		}
		if batches := (images + evaluate.Batch - 1) / evaluate.Batch; many.Steps != batches || many.Calls != (batches+31)/32 {
			t.Errorf("%d images: %d batches in %d calls", images, many.Steps, many.Calls)
		}
	}
	set := all.Subset([]int{1, 2, 3})
	tap := func(b backends.Backend) (out []float32) {
		if err := evaluate.Tap(t.Context(), b, n, state, set, "features", func(_ int, v []float32) { out = append(out, v...) }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if !slices.Equal(tap(many), tap(b)) {
		t.Error("other features")
	}
	if err := evaluate.Tap(t.Context(), many, n, state, set, "nowhere", nil); err == nil {
		t.Error("a place that there is not")
	}
}
