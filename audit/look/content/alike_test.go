package content

import (
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
)

// Controls show what the cases show, as surely, under labels that say so; each is taken once, and none is under the label asked about.
func TestControlsAreAsSure(t *testing.T) {
	const classes, target = 3, 0
	c := &look.Content{}
	add := func(label int32, p ...float64) {
		c.Labels, c.P = append(c.Labels, label), append(c.P, p)
	}
	var cases []int
	for k := range 20 { // under the target, showing class 1 more or less surely
		sure := 0.5 + 0.01*float64(k)
		cases = append(cases, len(c.Labels))
		add(target, 0.1, 0.9*sure, 0.9*(1-sure))
	}
	for k := range 400 { // of class 1, most of them surely
		sure := 1 - 0.5*math.Pow(float64(k)/400, 3)
		add(1, 0, sure, 1-sure)
		add(2, 0, 0.9, 0.1) // shows what its label does not say
		add(2, 0, 0.2, 0.8)
	}
	got := alike(c, lesson{question: question{except: target}, cases: cases})
	if len(got) != controls*len(cases) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Fatalf("%d controls, expected %d: %v", len(got), controls*len(cases), got)
	}
	mean := func(images []int, label int) (m float64) {
		for _, i := range images {
			if int(c.Labels[i]) != label {
				t.Errorf("image %d is under %d", i, c.Labels[i])
			}
			m += c.P[i][1] / (1 - c.P[i][target]) / float64(len(images))
		}
		return m
	}
	if a, b := mean(cases, target), mean(got, 1); math.Abs(a-b) > 0.02 {
		t.Errorf("cases show class 1 by %.3f, controls by %.3f", a, b)
	}
	// where there are fewer images than controls, all are taken
	few := &look.Content{P: c.P[:23], Labels: c.Labels[:23]}
	if got := alike(few, lesson{question: question{except: target}, cases: cases}); !slices.Equal(got, []int{20}) {
		t.Errorf("controls %v of the one image", got)
	}
}
