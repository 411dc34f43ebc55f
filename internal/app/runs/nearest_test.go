package runs

import (
	"slices"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
)

// Twelve grey images of two labels: the suspect's neighbours are of its label, kept, and far from suspicion.
func TestNearest(t *testing.T) {
	set := &dataset.Set{Height: 8, Width: 8, Classes: []string{"a", "b"}}
	var suspects []isolate.Suspect
	for i := range 12 {
		set.Labels = append(set.Labels, int32(i%2))
		for range set.ImageBytes() {
			set.Pixels = append(set.Pixels, uint8(10*i))
		}
		suspects = append(suspects, isolate.Suspect{Index: i, Score: float32(i), Isolated: i < 2})
	}
	o := &Outcome{Train: set, Trained: &abl.Result{Suspects: suspects}}
	// Of label a 2, 4, 6, 8 and 10 are kept; the least suspicious quarter, rounded up, is 8 and 10.
	got := nearest(o, suspects[:3])
	if want := [][]int{{8, 10}, {9, 11}, {8, 10}}; !slices.EqualFunc(got, want, slices.Equal[[]int]) {
		t.Errorf("nearest are %v, expected %v", got, want)
	}
	// The brightest suspect is nearest to the brightest; nothing is its own neighbour.
	suspects[0], suspects[10] = suspects[10], suspects[0]
	suspects[0].Isolated, suspects[10].Isolated = true, false
	if got := nearest(o, suspects[:1]); !slices.Equal(got[0], []int{8, 0}) {
		t.Errorf("nearest of image 10 are %v, expected [8 0]", got[0])
	}
}
