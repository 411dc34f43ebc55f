package findings

import (
	"slices"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

// grey is n images of 4×4 pixels, each brighter than the one before.
func grey(n int) *dataset.Set {
	set := &dataset.Set{Height: 4, Width: 4, Classes: []string{"a", "b"}, Labels: make([]int32, n)}
	for i := range n {
		set.Pixels = append(set.Pixels, slices.Repeat([]uint8{uint8(i * 255 / n)}, set.ImageBytes())...)
	}
	return set
}

// A gallery shrinks an even share of many images, and no more.
func TestGalleriesAreSmall(t *testing.T) {
	g := NewGallery(grey(5*mostCompared), rng.Iota(5*mostCompared))
	if len(g.images) != mostCompared || len(g.small) != mostCompared || g.images[1] != 5 || g.images[mostCompared-1] != 5*(mostCompared-1) {
		t.Errorf("%d images, %d shrunk, the second %d", len(g.images), len(g.small), g.images[1])
	}
}

// The nearest come first, without what is skipped; a small gallery has fewer than were asked for.
func TestNearestComeFirst(t *testing.T) {
	set := grey(20)
	g := NewGallery(set, []int{1, 4, 9, 16, 19})
	without := func(skipped ...int) func(int) bool {
		return func(i int) bool { return slices.Contains(skipped, i) }
	}
	for _, c := range []struct {
		n    int
		skip []int
		want []int
	}{{2, nil, []int{9, 4}}, {2, []int{9}, []int{4, 1}}, {9, []int{1}, []int{9, 4, 16, 19}}, {1, []int{1, 4, 9, 16, 19}, nil}} {
		if got := g.Nearest(8, c.n, without(c.skip...)); !slices.Equal(got, c.want) {
			t.Errorf("%d nearest without %v are %v, expected %v", c.n, c.skip, got, c.want)
		}
	}
}
