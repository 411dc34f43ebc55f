package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"
)

// MedianBut is Median without two values, whatever of them is taken.
func TestMedianButIsMedian(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		values, taken := make([]float64, 2+r.IntN(9)), make([]bool, 11)
		for k := range values {
			values[k], taken[k] = float64(r.IntN(5))/3, r.IntN(4) > 0 // some are equal
		}
		but := MedianBut(values, func(k int) bool { return taken[k] })
		for a := range values {
			for b := range values {
				want := Median(values, func(k int) bool { return taken[k] && k != a && k != b })
				if got := but(a, b); got != want {
					t.Fatalf("%v of %v without %d and %d: %g, expected %g", values, taken, a, b, got, want)
				}
			}
		}
	}
}

// A floor is the quantile of sorted values.
func TestFloorIsTheQuantile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	for range 1000 {
		values := make([]float64, 1+r.IntN(120))
		for k := range values {
			if values[k] = r.Float64(); r.IntN(2) == 0 {
				values[k] = math.Round(8*values[k]) / 8
			}
		}
		sorted := slices.Sorted(slices.Values(values))
		if got, want := floor(slices.Clone(values)), stat.Quantile(floorAt, stat.Empirical, sorted, nil); got != want {
			t.Fatalf("%v: %g, expected %g", values, got, want)
		}
	}
	if got := floor([]float64{0.5, math.NaN()}); !math.IsNaN(got) {
		t.Errorf("of what is no number: %g", got)
	}
}

// Many medians without two of as many values take hardly longer than one sorting of them.
func TestMediansOfManyAreCheap(t *testing.T) {
	values := make([]float64, 20000)
	for k := range values {
		values[k] = rand.Float64()
	}
	all := func(int) bool { return true }
	start := time.Now()
	Median(values, all)
	one := time.Since(start)
	start = time.Now()
	but := MedianBut(values, all)
	for k := range values {
		but(0, k)
	}
	if many := time.Since(start); many > 100*one {
		t.Errorf("%d medians take %s, one takes %s", len(values), many, one)
	}
}
