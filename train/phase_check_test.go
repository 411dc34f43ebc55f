package train

import (
	"context"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
)

// A phase over images, labels, weights or stamps that there are not is an error; it was a panic on another goroutine, which ends the
// program.
func TestPhaseRefusesWhatIsNotThere(t *testing.T) {
	nine := int32(9)
	for want, change := range map[string]func(p *Phase){
		"image 4":            func(p *Phase) { p.Indices = []int{0, 4} },
		"image -1":           func(p *Phase) { p.More = []Example{{Image: -1}} },
		"the label 9":        func(p *Phase) { p.More = []Example{{Image: 1, Label: &nine}} },
		"the label 7":        func(p *Phase) { p.Data.Labels[0] = 7 },
		"1 weights":          func(p *Phase) { p.Weights = []float32{1} },
		"a stamp of 2 and 0": func(p *Phase) { p.More = []Example{{Image: 1, Stamp: &augment.Stamp{Scale: []float32{1, 1}}}} },
	} {
		set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b"}, Labels: []int32{0, 1, 0, 1}, Pixels: make([]uint8, 12)}
		p := &Phase{Name: "tried", Data: set, Indices: []int{0, 1}, Batch: 1, Epochs: 1, Schedule: Constant(1)}
		change(p)
		err := p.Run(context.Background(), func(*Batch, float64) (float64, error) { return 0, nil }, nil, Hooks{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "tried") {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}

// No images are an error where a training starts.
func TestStartWithoutImages(t *testing.T) {
	if _, err := Start(nil, DefaultRecipe(), Settings{}); err == nil || !strings.Contains(err.Error(), "found nil") {
		t.Error(err)
	}
}
