package augment

import (
	"math"
	"slices"
	"testing"
)

// A blur of nothing, or that is no number, leaves the image as it is.
func TestBlurOfNothing(t *testing.T) {
	for _, deviation := range []float64{0, 1e-200, 0.01, -1, math.NaN(), math.Inf(1)} {
		x := []float32{1, 0.5, 0, 0, 0.25, 1}
		was := slices.Clone(x)
		if Blur(x, 1, 2, deviation); !slices.Equal(x, was) {
			t.Errorf("%g: %v", deviation, x)
		}
	}
}
