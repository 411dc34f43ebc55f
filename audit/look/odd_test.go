package look

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Images that plainly show another class than their label are listed with that class, but for suspects; images that might be of
// their label are not.
func TestOddLabels(t *testing.T) {
	const n, classes = 300, 3
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b", "c"}, Pixels: make([]uint8, 3*n)}
	wrong := map[int]int{10: 2, 22: 0, 32: 0} // of them the last is a suspect
	p := make([][]float32, n)
	for i := range n {
		set.Labels = append(set.Labels, int32(i%classes))
		shows := i % classes
		if to, ok := wrong[i]; ok {
			shows = to
		}
		p[i] = []float32{0.004, 0.004, 0.004}
		p[i][shows] = 0.992
		if i%7 == 0 { // nobody knows
			p[i] = []float32{0.33, 0.33, 0.33}
		}
	}
	r := &train.Run{Data: set, Arrays: map[string][]float32{}}
	for fold := range 2 {
		for k, i := range rng.Shuffle(0, "content folds", n) {
			if k%2 == fold {
				for _, v := range p[i] {
					r.Arrays[fmt.Sprintf("content.%d", fold)] = append(r.Arrays[fmt.Sprintf("content.%d", fold)], float32(math.Log(float64(v))))
				}
			}
		}
	}
	c, err := NewCase(r, Settings{Content: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Found()[32] = 1
	odd, err := c.Odd(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(odd) != 2 {
		t.Fatalf("%+v", odd)
	}
	for _, o := range odd {
		if to, ok := wrong[o.Image]; !ok || o.Image == 32 || o.Shows != to {
			t.Errorf("%+v", o)
		}
	}
	c.Settings.Content = false
	if odd, err = c.Odd(context.Background()); err != nil || odd != nil {
		t.Errorf("without content: %v, %v", odd, err)
	}
}
