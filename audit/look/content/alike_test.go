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
	var all [][]float64
	add := func(label int32, p ...float64) {
		c.Labels, all = append(c.Labels, label), append(all, p)
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
	c.P = chances(all...)
	got, matched, of := alike(c, lesson{question: question{except: target}, cases: cases})
	if !slices.Equal(matched, cases) {
		t.Errorf("%v of %v have all controls", matched, cases)
	}
	whose := map[int]int{}
	for _, j := range got {
		whose[of[j]]++
	}
	for _, i := range cases {
		if whose[i] != controls {
			t.Errorf("case %d has %d controls", i, whose[i])
		}
	}
	if len(got) != controls*len(cases) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Fatalf("%d controls, expected %d: %v", len(got), controls*len(cases), got)
	}
	mean := func(images []int, label int) (m float64) {
		for _, i := range images {
			if int(c.Labels[i]) != label {
				t.Errorf("image %d is under %d", i, c.Labels[i])
			}
			m += c.P.At(i, 1) / (1 - c.P.At(i, target)) / float64(len(images))
		}
		return m
	}
	if a, b := mean(cases, target), mean(got, 1); math.Abs(a-b) > 0.02 {
		t.Errorf("cases show class 1 by %.3f, controls by %.3f", a, b)
	}
	// where there are fewer images than controls, all are taken, and cases without all of theirs are not compared
	few := &look.Content{P: chances(all[:27]...), Labels: c.Labels[:27]} // three of class 1
	if got, matched, _ := alike(few, lesson{question: question{except: target}, cases: cases}); !slices.Equal(got, []int{20, 23, 26}) || !slices.Equal(matched, cases[:1]) {
		t.Errorf("controls %v of the three images, for cases %v", got, matched)
	}
}

// Of many labels at once, no case is a control of another one.
func TestCasesAreNoControls(t *testing.T) {
	c := &look.Content{Labels: []int32{0, 0, 1, 1, 1}, P: chances([]float64{0.6, 0.4}, []float64{0.55, 0.45}, []float64{0.4, 0.6}, []float64{0.1, 0.9}, []float64{0.2, 0.8})}
	got, matched, _ := alike(c, lesson{question: question{labels: []int{0, 1}, except: -1}, cases: []int{1, 2}})
	if !slices.Equal(got, []int{0, 3, 4}) || !slices.Equal(matched, []int{1}) {
		t.Errorf("controls %v, for cases %v", got, matched)
	}
}

// Of two classes, controls show theirs rather than the other one.
func TestControlsOfTwoClasses(t *testing.T) {
	c := &look.Content{Labels: []int32{0, 1, 1, 1, 1}, P: chances([]float64{0.3, 0.7}, []float64{0.8, 0.2}, []float64{0.05, 0.95}, []float64{0.35, 0.65}, []float64{0.25, 0.75})}
	if got, _, _ := alike(c, lesson{question: question{labels: []int{0}, except: 0}, cases: []int{0}}); !slices.Equal(got, []int{3, 4}) {
		t.Errorf("controls %v", got)
	}
}
