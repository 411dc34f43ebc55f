package look

import "testing"

// Evidence is as strong as the last thing that was asked of its suspects lets it be.
func TestEvidenceIsWeighedByWhatWasAskedLast(t *testing.T) {
	right, moved := &Right{Suspects: contradicted * 0.8, Rest: 0.8}, &Moved{After: moves / 2}
	for _, c := range []struct {
		right *Right
		moved *Moved
		want  float64
	}{{nil, nil, 3}, {right, nil, 1}, {right, moved, 0.5}, {nil, moved, 0.5}} {
		if got := (Evidence{Strength: 3, Right: c.right, Moved: c.moved}).Weighed(); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%+v, %+v: %g, expected %g", c.right, c.moved, got, c.want)
		}
	}
}
