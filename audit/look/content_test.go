package look

import (
	"context"
	"reflect"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Who goes on trains what is left, in whatever fold it was stopped, and ends in the same probabilities.
func TestContentGoesOnAfterAStop(t *testing.T) {
	const n, side = 64, 8
	set := &dataset.Set{Height: side, Width: side, Classes: []string{"a", "b"}, Labels: make([]int32, n), Pixels: make([]uint8, n*side*side*3)}
	noise := rng.Stream(1, "pixels")
	for i := range set.Pixels {
		set.Pixels[i] = uint8(noise.IntN(256))
	}
	for i := range set.Labels {
		set.Labels[i] = int32(i % 2)
	}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	network, err := model.New("small-cnn", len(set.Classes), side, side)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	content := func(folder string, stop int) (*Content, error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		steps = 0
		r := &train.Run{Backend: b, Network: network, Data: set, Batch: 32, Folder: folder, Watch: func(train.Event) {
			if steps++; steps == stop {
				cancel()
			}
		}}
		if _, err := r.Start(true); err != nil {
			return nil, err
		}
		c, err := NewCase(r, Settings{Content: true, Steps: Steps{Content: 3}})
		if err != nil {
			return nil, err
		}
		of, err := c.Content(ctx)
		if err != nil {
			return nil, err
		}
		if kept, err := c.ContentHalf(ctx, 0, -1); err != nil || !reflect.DeepEqual(kept, of) { // all of each image
			t.Errorf("the networks that are kept say something else (%v)", err)
		}
		if left, err := c.ContentHalf(ctx, evaluate.Left, -1); err != nil || reflect.DeepEqual(left, of) {
			t.Errorf("halves of images are the whole ones (%v)", err)
		}
		return of, nil
	}
	want, err := content(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	all := steps
	for _, stop := range []int{2, all/2 + 1} {
		folder := t.TempDir()
		if _, err := content(folder, stop); err == nil {
			t.Fatal("it was not stopped")
		}
		got, err := content(folder, 0)
		if err != nil {
			t.Fatal(err)
		}
		if steps != all-stop {
			t.Errorf("stopped after %d steps of %d, it went on for %d", stop, all, steps)
		}
		if !reflect.DeepEqual(got, want) {
			t.Error("other probabilities than without a stop")
		}
	}
}
