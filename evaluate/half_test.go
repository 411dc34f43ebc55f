package evaluate

import (
	"slices"
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// A half takes the place of the other one, mirrored; a middle stays.
func TestHalvesAreMirrored(t *testing.T) {
	set := &dataset.Set{Height: 3, Width: 2, Classes: []string{"a"}, Labels: make([]int32, 2), Pixels: make([]uint8, 2*18)}
	for i := range set.Pixels {
		set.Pixels[i] = uint8(i)
	}
	for half, want := range map[Half][]int{ // pixels of the first image, row by row
		Left:  {0, 0, 2, 2, 4, 4},
		Right: {1, 1, 3, 3, 5, 5},
		Upper: {0, 1, 2, 3, 0, 1},
		Lower: {4, 5, 2, 3, 4, 5},
	} {
		got := mirrored(set, half)
		for k := range set.Labels {
			var expected []uint8
			for _, p := range want {
				at := 18*k + 3*p
				expected = append(expected, set.Pixels[at:at+3]...)
			}
			if !slices.Equal(got.Image(k), expected) {
				t.Errorf("half %d of image %d: %v, expected %v", half, k, got.Image(k), expected)
			}
		}
	}
}
