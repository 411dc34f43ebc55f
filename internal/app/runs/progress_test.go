package runs

import (
	"testing"

	"github.com/unpoison/unpoison/train"
)

// Where images are counted and nothing is trained, no loss is told.
func TestImagesHaveNoLoss(t *testing.T) {
	for _, images := range []bool{false, true} {
		var got Event
		Watcher(func(e Event) { got = e })(train.Event{Stage: "content", Progress: &train.Progress{Images: images, Epoch: 1, Epochs: 1, Step: 2, Steps: 3}})
		if got.Step != 2 || got.Steps != 3 || (got.Loss == nil) != images {
			t.Errorf("images: %v: %+v", images, got)
		}
	}
}
