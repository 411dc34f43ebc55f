package evaluate_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
)

// In one pass come the logits that the evaluator gives, to the bit, and the features that the last layer makes them of;
// more images than a batch, and not a multiple of it.
func TestFeaturesMakeTheLogits(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	set := signs.Render(1, evaluate.Batch+3, 1).Train
	n, err := model.New("small-cnn", len(set.Classes), set.Height, set.Width)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(3)
	features, logits, err := evaluate.Features(context.Background(), b, n, state, set)
	if err != nil {
		t.Fatal(err)
	}
	asked := evaluate.Pass{Network: n, State: state, Features: true}
	width := len(features) / set.Len()
	err = evaluate.Here{Backend: b, Set: set}.Pass(context.Background(), asked, []int{2, evaluate.Batch + 1}, func(i int, row []float32) {
		if !slices.Equal(row, features[i*width:(i+1)*width]) {
			t.Errorf("image %d has other features in a pass over some", i)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	weight, bias := state.Classifier()
	classes := weight.Dims[1]
	if width != weight.Dims[0] || len(features) != set.Len()*width || len(logits) != set.Len()*classes {
		t.Fatalf("%d features and %d logits of %d images, expected %d and %d each", len(features), len(logits), set.Len(), width, classes)
	}
	e, err := evaluate.Of(b, n, state)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Logits(context.Background(), set, func(i int, want []float32) {
		for c, z := range logits[i*classes : (i+1)*classes] {
			if z != want[c] {
				t.Fatalf("image %d, class %d: %g in one pass, %g alone", i, c, z, want[c])
			}
			sum := float64(bias.Data[c])
			for k, h := range features[i*width : (i+1)*width] {
				sum += float64(h) * float64(weight.Data[k*classes+c])
			}
			if math.Abs(sum-float64(z)) > 1e-4 {
				t.Fatalf("image %d, class %d: the features make %g, the network %g", i, c, sum, z)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
