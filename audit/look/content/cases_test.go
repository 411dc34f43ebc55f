package content

import (
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/train"
)

// vectors are features of one number that lie in memory.
type vectors [][]float32

func (v vectors) Width() int          { return 1 }
func (v vectors) Row(i int) []float32 { return v[i] }
func (v vectors) Digest() string      { return "vectors" }

// An image without features, whose label nothing contradicts, is no control: nobody knows that it shows its label.
func TestUnknownImagesAreNoControls(t *testing.T) {
	const images, unknown = 100, 4
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b"}, Pixels: make([]uint8, 3*images)}
	var v vectors
	var all []int
	for i := range images {
		set.Labels, v, all = append(set.Labels, int32(i%2)), append(v, []float32{float32(i % 2)}), append(all, i)
	}
	v[unknown] = nil
	c, err := look.NewCase(&train.Run{Data: set, Seconds: map[string]float64{}}, look.Settings{Content: true, Features: v})
	if err != nil {
		t.Fatal(err)
	}
	content, err := c.Content(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := make([]float64, images)
	p[7] = clean
	if got, want := honest(content, all, p), slices.DeleteFunc(all, func(i int) bool { return i == unknown || i == 7 }); !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
}
