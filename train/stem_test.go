package train

import (
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/model"
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
		batch := &Batch{X: make([]float32, images*size[0]*size[1]*3), Labels: []int32{0, 1, 0, 1}, Weights: []float32{1, 1, 1, 1}, Images: []int{0, 1, 2, 3}, Losses: make([]float32, images)}
		for k := range batch.X {
			batch.X[k] = float32(k/(size[0]*size[1]*3)%2) * float32(k%7) / 7
		}
		var first, last float64
		for step := range 8 {
			if last, err = l.classify(batch, 0.02); err != nil {
				t.Fatalf("%v: %v", size, err)
			}
			if step == 0 {
				first = last
			}
		}
		if !(last < first) {
			t.Errorf("%v: the loss went from %g to %g", size, first, last)
		}
	}
}
