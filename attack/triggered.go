package attack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

// Triggered returns the test images that the attack aims at, with the trigger and with the label that it wants: a network's
// accuracy on them is the attack success rate. Those of the target class are left out. With RandomLabels the images keep
// their own labels; see Common.Success.
func (a *Attack) Triggered(ctx context.Context, test *dataset.Set) (*dataset.Set, error) {
	if err := a.check(test); err != nil {
		return nil, err
	}
	if c, ok := a.trigger.(Composer); ok {
		out, err := c.Compose(test, a.Config.Seed)
		if err != nil {
			return nil, err
		}
		for k := range out.Labels {
			out.Labels[k] = int32(a.Config.Target)
		}
		return out, nil
	}
	var keep []int
	for i, l := range test.Labels {
		if a.Aims(int(l)) {
			keep = append(keep, i)
		}
	}
	out, err := a.onTest(ctx, test, keep, a.trigger.Apply)
	if err != nil {
		return nil, err
	}
	if a.Config.RandomLabels {
		return out, nil
	}
	for k := range out.Labels {
		out.Labels[k] = a.Config.label(out.Labels[k], a.Classes, nil)
	}
	return out, nil
}

// ErrSeveralClasses is Marked's error for attacks that put images of several classes together (CBA).
var ErrSeveralClasses = errors.New("its triggered images are of several classes and have no label of their own")

// Composes reports whether a triggered image is of several classes.
func (a *Attack) Composes() bool {
	_, ok := a.trigger.(Composer)
	return ok
}

// Marked returns all test images with the trigger and with their own labels: a network's accuracy on those that are not
// of the target class is its robust accuracy, that on the target's own tells whether it takes the trigger for a sign
// against the target. Where a triggered image is of several classes the error is ErrSeveralClasses.
func (a *Attack) Marked(ctx context.Context, test *dataset.Set) (*dataset.Set, error) {
	if a.Composes() {
		return nil, fmt.Errorf("attack %s: %w", a.lab.Name, ErrSeveralClasses)
	}
	if err := a.check(test); err != nil {
		return nil, err
	}
	return a.onTest(ctx, test, rng.Iota(test.Len()), a.trigger.Apply)
}

// Covered returns the test images changed as the covering images of the training set are, with their
// own labels, or nil if the attack has none, or no test image is one: a network's accuracy on them tells whether the backdoor
// asks for the trigger itself (Dynamic's cross-trigger accuracy), or for its class (TaCT).
func (a *Attack) Covered(ctx context.Context, test *dataset.Set) (*dataset.Set, error) {
	if a.cover() == nil {
		return nil, nil
	}
	if err := a.check(test); err != nil {
		return nil, err
	}
	if c, ok := a.trigger.(Coverer); ok {
		return a.onTest(ctx, test, rng.Iota(test.Len()), c.Cover)
	}
	if _, ok := a.trigger.(Selective); !ok {
		return nil, nil
	}
	var keep []int
	for i, l := range test.Labels {
		if a.covering(l) {
			keep = append(keep, i)
		}
	}
	if len(keep) == 0 {
		return nil, nil
	}
	return a.onTest(ctx, test, keep, a.trigger.Apply)
}

// onTest changes a copy of some test images and returns it. An image draws the same, whichever others there are.
func (a *Attack) onTest(ctx context.Context, test *dataset.Set, some []int, f func(context.Context, *Batch) error) (*dataset.Set, error) {
	copied, stream := test.Subset(some), a.stream("test")
	b := &Batch{Set: copied, At: rng.Iota(copied.Len()), Test: true, Stream: func(k int) *rand.Rand { return stream(some[k]) }}
	if err := f(ctx, b); err != nil {
		copied.Discard()
		return nil, fmt.Errorf("attack %s: %w", a.lab.Name, err)
	}
	return copied, nil
}
