package look

import (
	"slices"
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// Of many images a sample is asked about, and all of a label.
func TestHalvesOfASampleAreAskedAbout(t *testing.T) {
	c := &Case{Data: &dataset.Set{Labels: make([]int32, 100)}, Seed: 1}
	for i := range c.Data.Labels {
		c.Data.Labels[i] = int32(i % 10)
	}
	if c.unasked(100, -1) != nil {
		t.Error("of few images some are left out")
	}
	sample, more := c.unasked(20, -1), c.unasked(20, 3)
	count := func(missing []bool) (asked int) {
		for _, is := range missing {
			if !is {
				asked++
			}
		}
		return asked
	}
	if count(sample) != 20 || !slices.Contains(sample[:50], false) {
		t.Errorf("%d images are asked about, expected 20 from anywhere", count(sample))
	}
	for i, is := range more {
		if want := sample[i] && i%10 != 3; is != want {
			t.Errorf("image %d: missing is %v, expected %v", i, is, want)
		}
	}
}
