package stat_test

import (
	"math"
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/rng"
)

// Parts are found along what other groups hardly vary in, though all rows vary far more along another direction.
func TestPartsAreFoundInTheMetricOfOthers(t *testing.T) {
	const width = 3
	r := rng.Stream(1, "parts")
	row := func(apart float64) []float64 { // the first varies widely in all groups, the second says nothing, the third parts
		return []float64{100 * r.NormFloat64(), 0, apart + r.NormFloat64()}
	}
	whole := stat.NewScatter(nil, width)
	var own stat.Scatter
	var rows [][]float64
	for group := range 3 {
		var all [][]float64
		for i := range 300 {
			apart := 0.0
			if group == 0 && i%3 == 0 {
				apart = 40
			}
			all = append(all, row(apart))
		}
		s := stat.NewScatter(all, width)
		whole.Add(s)
		if group == 0 {
			rows, own = all, s
		}
	}
	one := whole.Without(own).Parts(rows)
	for i, is := range one {
		if (is == one[0]) != (i%3 == 0) {
			t.Fatalf("row %d is of part %v, row 0 of %v", i, is, one[0])
		}
	}
	if n := count(own.Parts(rows[:1])); n > 0 {
		t.Errorf("one row is in two parts")
	}
	none := stat.NewScatter(nil, width)
	if n := count(none.Parts(rows)); n > 0 {
		t.Errorf("%d of %d rows are in a part where there is no metric", n, len(rows))
	}
	if n := count(own.Parts([][]float64{{1, 2, 3}, {math.Inf(1), 2, 3}, {1, 2, 4}})); n > 0 {
		t.Errorf("%d rows are in a part though one is infinite", n)
	}
	same := [][]float64{{1, 2, 3}, {1, 2, 3}, {1, 2, 3}}
	if n := count(whole.Parts(same)); n > 0 {
		t.Errorf("%d of equal rows are in a part of their own", n)
	}
}

func count(one []bool) (n int) {
	for _, is := range one {
		n += stat.Bit(is)
	}
	return n
}

// Rows that surely are of one class each tell the logarithm of how many classes there are; rows that are all alike tell nothing.
func TestInformation(t *testing.T) {
	of := func(rows ...[]float64) float64 {
		return stat.Information(func(visit func(p []float64)) {
			for _, p := range rows {
				visit(p)
			}
		})
	}
	for name, c := range map[string]struct{ got, want float64 }{
		"none":      {of(), 0},
		"sure":      {of([]float64{0.2, 0, 0}, []float64{0, 0, 1}), math.Log(2)},
		"alike":     {of([]float64{0.3, 0.7}, []float64{0.3, 0.7}), 0},
		"unsure":    {of([]float64{0.9, 0.1}, []float64{0.1, 0.9}), math.Log(2) + 0.9*math.Log(0.9) + 0.1*math.Log(0.1)},
		"says none": {of([]float64{0, 0}, []float64{1, 0}, []float64{0, 1}), math.Log(2)},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s: %g nats, expected %g", name, c.got, c.want)
		}
	}
}
