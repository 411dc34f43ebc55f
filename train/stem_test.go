package train

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// A network with a stem has a gradient, and its loss falls, whatever is left of an image beside whole patches.
func TestStemsLearnAtAnySize(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{71, 48}, {64, 65}, {97, 130}, {101, 101}} {
		n, err := model.New("small-cnn", 2, size[0], size[1])
		if err != nil {
			t.Fatal(err)
		}
		const images = 4
		l, err := NewClassifier(b, n, n.Init(1), images, DefaultSGD(), Mean)
		if err != nil {
			t.Fatalf("%v: %v", size, err)
		}
		set := &dataset.Set{Height: size[0], Width: size[1], Classes: []string{"dark", "bright"}, Labels: []int32{0, 1, 0, 1}}
		for k := range images * size[0] * size[1] * 3 {
			set.Pixels = append(set.Pixels, uint8(k/(size[0]*size[1]*3)%2*200+k%50))
		}
		var first, last float64
		p := &Phase{Name: "test", Data: set, Indices: rng.Iota(set.Len()), Batch: images, Epochs: 8, Schedule: OneCycle(0.02, 0.2), Seed: 1}
		if err := p.Run(context.Background(), l.classify, nil, Hooks{Epoch: func(epoch int, loss float64) error {
			if last = loss; epoch == 1 {
				first = loss
			}
			return nil
		}}); err != nil {
			t.Fatalf("%v: %v", size, err)
		}
		if !(last < first) {
			t.Errorf("%v: the loss went from %g to %g", size, first, last)
		}
	}
}
