package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/unpoison/unpoison/dataset"
)

// Batch is what a step is shown.
type Batch struct {
	Images  []int     // indices into the set; −1 for one that is stamped
	X       []float32 // [N,H,W,3], from 0 to 1
	Labels  []int32   // [N]
	Weights []float32 // [N]
	Losses  []float32 // [N], before the update; a step that knows them fills them

	inputs  []any // X, Labels and Weights
	soft    []float32
	given   map[int][]float32 // see Phase.Soft
	classes int
}

// Soft returns the labels as distributions over the classes, [N, classes]. The slice is the batch's.
func (b *Batch) Soft() []float32 {
	if b.soft == nil {
		b.soft = make([]float32, len(b.Labels)*b.classes)
	}
	clear(b.soft)
	for j, i := range b.Images {
		row := b.soft[j*b.classes : (j+1)*b.classes]
		if s := b.given[i]; s != nil {
			copy(row, s)
		} else {
			row[b.Labels[j]] = 1
		}
	}
	return b.soft
}

// Loop shows batches of size images to learn, those from first to last−1. fill assembles them on another goroutine, up to
// three ahead. What it is given is an older batch's memory, of which it sets Images, X, Labels and Weights; learn may not
// keep it. It stops with learn's first error, or between two batches when ctx ends.
func Loop(ctx context.Context, set *dataset.Set, size, first, last int, fill func(k int, b *Batch), learn func(k int, b *Batch) error) error {
	return ahead(ctx, func() *Batch {
		b := &Batch{
			Images: make([]int, size), X: make([]float32, size*set.ImageBytes()), Labels: make([]int32, size),
			Weights: slices.Repeat([]float32{1}, size), Losses: make([]float32, size), classes: len(set.Classes),
		}
		b.inputs = []any{b.X, b.Labels, b.Weights}
		return b
	}, first, last, fill, learn)
}

// ahead is Loop over anything.
func ahead[B any](ctx context.Context, empty func() B, first, last int, fill func(k int, b B), learn func(k int, b B) error) error {
	ready, free := make(chan B, 3), make(chan B, 3)
	for range cap(free) {
		free <- empty()
	}
	ctx, stop := context.WithCancel(ctx)
	ended, lost := make(chan struct{}), error(nil)
	defer func() { // the set is the caller's again
		stop()
		<-ended
	}()
	go func() {
		defer close(ended)
		defer close(ready)
		defer dataset.Lost(&lost)
		for k := first; k < last; k++ {
			select {
			case b := <-free:
				fill(k, b)
				ready <- b // there is room for all
			case <-ctx.Done():
				return
			}
		}
	}()
	for k := first; k < last; k++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case b, ok := <-ready:
			if !ok {
				return errors.Join(lost, ctx.Err())
			}
			if err := learn(k, b); err != nil {
				return err
			}
			free <- b
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// DivergedError says that the loss is no longer a number, or beyond all bounds.
type DivergedError struct {
	Phase string // empty outside of one
	Epoch int    // from 1
	Step  int    // of the learner, from 1
	Loss  float64
}

func (e *DivergedError) Error() string {
	if e.Phase == "" {
		return fmt.Sprintf("the optimisation diverged at step %d; try a lower rate or another seed", e.Step)
	}
	return fmt.Sprintf("training diverged: in %s, epoch %d, the loss is %g; try a lower learning rate or another seed", e.Phase, e.Epoch, e.Loss)
}

// maxLoss is beyond what cross-entropy reaches in training that can still recover.
const maxLoss = 1e4

// beyond reports whether training can't recover from a loss.
func beyond(loss float64) bool { return math.IsNaN(loss) || math.Abs(loss) > maxLoss }
