package report

import (
	"math"
	"testing"
)

// What there is nothing to plot of ends, and what can't be plotted is an error.
func TestFiguresOfNothing(t *testing.T) {
	for _, lines := range [][]Line{nil, {{Name: "none"}}} {
		if _, err := LineFigure("", "", Axes{}, lines...); err != nil {
			t.Errorf("%v: %v", lines, err)
		}
	}
	for _, l := range []Line{{Y: []float64{math.NaN()}}, {Y: []float64{1, math.Inf(1)}}, {X: []float64{1}, Y: []float64{1, 2}}} {
		if _, err := LineFigure("", "", Axes{}, l); err == nil {
			t.Errorf("%+v is plotted", l)
		}
	}
}

// Values however large are counted at the top, and what is no number nowhere.
func TestSpreadOfExtremes(t *testing.T) {
	h := Spread(1, [2][]float32{{float32(math.Inf(1)), 1e30, -1, 0.5}, {float32(math.NaN())}})
	if a := h.Shares[0]; a[bins-1] != 0.5 || a[0] != 0.25 || a[bins/2] != 0.25 {
		t.Errorf("%v", a)
	}
	for _, share := range h.Shares[1] {
		if share != 0 {
			t.Errorf("no number is counted: %v", h.Shares[1])
		}
	}
}
