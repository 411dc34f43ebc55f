package look

import (
	"context"
	"math"
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/train"
)

// An image that most likely shows its label has no odd one, even where nearly all of the label's images seem to be put there by chance;
// nor have those of a label that is too rare for any network to know. A wrong label of a known class is odd.
func TestNoOddLabelWithoutAnotherClass(t *testing.T) {
	const known, vague, rare = 0, 1, 2
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"known", "vague", "rare"}}
	var logs [][]float32
	content := &Content{}
	add := func(label int32, own float64, p ...float64) {
		set.Labels = append(set.Labels, label)
		set.Pixels = append(set.Pixels, 0, 0, 0)
		content.Own = append(content.Own, own)
		row := make([]float32, len(p))
		for k, v := range p {
			row[k] = float32(math.Log(v))
		}
		logs = append(logs, row)
	}
	add(known, 0.001, 0.02, 0.97, 0.01)
	for range 60 {
		add(known, 0.97, 0.97, 0.02, 0.01)
		add(vague, 0.02, 0.4, 0.5, 0.1)
	}
	for range rightFewest - 1 {
		add(rare, 0.001, 0.97, 0.02, 0.01)
	}
	content.P, content.Labels = stat.NewSoftmax(logs, 1), set.Labels
	c, err := NewCase(&train.Run{Data: set}, Settings{Content: true})
	if err != nil {
		t.Fatal(err)
	}
	c.content = content
	odd, err := c.Odd(context.Background())
	if err != nil || len(odd) != 1 || odd[0].Image != 0 || odd[0].Shows != vague {
		t.Errorf("%+v, %v", odd, err)
	}
}
