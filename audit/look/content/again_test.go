package content

import (
	"context"
	"fmt"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Images in doubt are left out where many were moved to the label and what they share was not seen, unless they are most of the label.
func TestHiddenTriggersAreAskedFor(t *testing.T) {
	moved := labelFlips{Flips: stat.Flips{Rate: 0.02, Evidence: 2 * leftOut}, images: 1000}
	cases := rng.Iota(300)
	for name, k := range map[string]struct {
		change func(f *labelFlips, a *answer)
		want   bool
	}{
		"hidden":             {func(*labelFlips, *answer) {}, true},
		"little evidence":    {func(f *labelFlips, _ *answer) { f.Evidence = leftOut / 2 }, false},
		"most of the label":  {func(_ *labelFlips, a *answer) { a.cases = rng.Iota(600) }, false},
		"few":                {func(_ *labelFlips, a *answer) { a.cases = cases[:fewest-1] }, false},
		"seen at once":       {func(_ *labelFlips, a *answer) { a.common = common{shared: 0.9, inCommon: 2 * shared} }, false},
		"all from one class": {func(f *labelFlips, _ *answer) { f.pair.Evidence = 4 * leftOut }, false},
	} {
		f, a := moved, answer{cases: cases, common: common{shared: 0.58, inCommon: shared / 2}}
		k.change(&f, &a)
		if got := f.hidden(a); got != k.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// By networks that did not learn the images in doubt, more of them show something else; what these share is then a finding, and if they
// share nothing the first answer stands.
func TestUnseenTriggersAreFound(t *testing.T) {
	clean, set, mislabelled, poisoned := stickers(t, 300)
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &train.Run{Backend: b, Arrays: map[string][]float32{}}
	keepContent(r.Arrays, fmt.Sprintf("content.unseen.%d.", target), clean, func(i int) int { return int(clean.Labels[i]) })
	first := answer{p: make([]float64, clean.Len())}
	for i, p := range poisoned {
		if p && len(first.cases) < 2*fewest {
			first.cases = append(first.cases, i)
		}
	}
	for name, data := range map[string]*train.Run{"stickers": {Data: set}, "wrong labels": {Data: mislabelled}} {
		data.Backend, data.Arrays = r.Backend, r.Arrays
		c, err := look.NewCase(data, look.Settings{Content: true, Steps: look.Steps{Round: 60}})
		if err != nil {
			t.Fatal(err)
		}
		a, _, found, err := unseen(context.Background(), c, question{labels: []int{target}, except: target}, first)
		if err != nil || found != (name == "stickers") {
			t.Fatalf("%s: found is %v, %v", name, found, err)
		}
		if hit := len(look.Those(rng.Iota(len(a.p)), func(i int) bool { return a.p[i] > look.Flagged && poisoned[i] })); found && hit < 40 {
			t.Errorf("%s: %d planted images are flagged", name, hit)
		}
	}
}
