package train

import (
	"slices"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

// A sample has the labels' shares, and of a rare label enough.
func TestSample(t *testing.T) {
	set := &dataset.Set{Classes: []string{"common", "usual", "rare", "none"}}
	for label, n := range []int{7000, 2980, 20} {
		set.Labels = append(set.Labels, slices.Repeat([]int32{int32(label)}, n)...)
	}
	all := rng.Iota(set.Len())
	got := Sample(set, all, 1000, 1, "test")
	count := make([]int, 4)
	for _, i := range got {
		count[set.Labels[i]]++
	}
	if !slices.Equal(count, []int{700, 298, 20, 0}) {
		t.Errorf("drawn by label: %d", count)
	}
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Error("a sample is out of order, or has an image twice")
	}
	if !slices.Equal(got, Sample(set, all, 1000, 1, "test")) || slices.Equal(got, Sample(set, all, 1000, 2, "test")) {
		t.Error("a sample does not depend on its seed alone")
	}
	for _, n := range []int{0, 10_000, 20_000} {
		if len(Sample(set, all, n, 1, "test")) != len(all) {
			t.Errorf("a sample of %d of all", n)
		}
	}
}
