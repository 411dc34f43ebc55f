package look

import (
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
)

// What is usual is the other labels' median, by what their numbers of images allow to chance; of too few others nobody knows.
func TestUsualDistance(t *testing.T) {
	group := func(images int, times float64) *stat.Group {
		return &stat.Group{Images: make([]int, images), Distance: times * LeastApart(images)}
	}
	all := []*stat.Group{group(400, 3), nil, group(100, 0.7), group(900, 0.7), group(25, 2)}
	if got, want := usualDistance(all, 0), 0.7*LeastApart(400); got != want {
		t.Errorf("usual is %g, expected %g", got, want)
	}
	if got := usualDistance(all[:4], 0); got != 0 {
		t.Errorf("by two others %g is usual", got)
	}
}

// Facts are judged by what they were, not by what a checkpoint made of them: shares at a limit stay on its side.
func TestFactsStayExact(t *testing.T) {
	type facts struct {
		Counts
		Agreement float64 `json:"agreement"`
	}
	agreement := 190.0 / 200
	if float64(float32(agreement)) >= 0.95 {
		t.Fatal("this share would not have been lost")
	}
	e := Evidence{Look: "x", Label: 3, Says: Poisoned, Facts: facts{Counts{Images: 200, Flagged: 190}, agreement}}
	back := through(t, e)
	f, ok := FactsOf[facts](back)
	if !ok || f != e.Facts || back.Says != Poisoned || back.Label != 3 || CountsOf(back).Flagged != 190 {
		t.Errorf("%+v came back as %+v", e, back)
	}
}
