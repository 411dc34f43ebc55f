package runs

import (
	"testing"
	"time"

	"github.com/unpoison/unpoison/train"
)

// Where images are counted and nothing is trained, no loss is told. Trainings outside a run tell as much as those within.
func TestImagesHaveNoLoss(t *testing.T) {
	for _, images := range []bool{false, true} {
		var got Event
		Watcher(func(e Event) { got = e })(train.Event{Stage: "content", Progress: &train.Progress{Images: images, Epoch: 1, Epochs: 1, Step: 2, Steps: 3}})
		p := train.Progress{Phase: "unlearn", Images: images, Epoch: 1, Epochs: 1, Step: 2, Steps: 3, Rate: 0.5, ImagesPerSecond: 7, Left: 9 * time.Second}
		var same [2]Event
		Watcher(func(e Event) { same[0] = e })(train.Event{Stage: "unlearn", Progress: &p})
		Progress(func(e Event) { same[1] = e })(p)
		if same[0].Loss, same[1].Loss = nil, nil; same[0] != same[1] || same[1].Rate != 0.5 || same[1].ImagesPerSecond != 7 || same[1].SecondsLeft != 9 {
			t.Errorf("within a run and outside of one: %+v", same)
		}
		if got.Step != 2 || got.Steps != 3 || (got.Loss == nil) != images {
			t.Errorf("images: %v: %+v", images, got)
		}
	}
}
