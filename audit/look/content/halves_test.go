package content

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/train"
)

// A label is asked about where both halves of many of its images show something else, and nothing was found under it.
func TestLabelsDoubtedInBothHalves(t *testing.T) {
	const n = 2000
	labels := make([]int32, n)
	for i := range labels {
		labels[i] = int32(i % 5)
	}
	shown := func(other ...int) *look.Content { // half of the images of some labels show the next class
		logs := make([][]float32, n)
		for i, y := range labels {
			logs[i] = make([]float32, 5)
			shows := int(y)
			if slices.Contains(other, shows) && i%2 == 0 {
				shows = (shows + 1) % 5
			}
			for class := range logs[i] {
				logs[i][class] = likely(class == shows)
			}
		}
		c := &look.Content{Labels: labels, P: stat.NewSoftmax(logs, 1)}
		c.Own = stat.Unfloored(c.P, labels, 5)
		return c
	}
	halves := [2]evaluate.Half{evaluate.Left, evaluate.Right}
	for name, k := range map[string]struct {
		left, right, found, want []int
		asked                    int
	}{
		"none":           {asked: 1},
		"one half":       {left: []int{1}, asked: 2},
		"other labels":   {left: []int{1}, right: []int{3}, asked: 2},
		"both":           {left: []int{1}, right: []int{1}, want: []int{1}, asked: 2},
		"found already":  {left: []int{1}, right: []int{1}, found: []int{1}, asked: 1},
		"beside another": {left: []int{1, 3}, right: []int{1, 3}, found: []int{1}, want: []int{3}, asked: 2},
	} {
		var all []look.Evidence
		for _, label := range k.found {
			all = append(all, look.Evidence{Label: label, Says: look.Poisoned})
		}
		asked := 0
		got, _, flips, err := doubted(context.Background(), 5, all, halves, func(_ context.Context, half evaluate.Half, _ int) (*look.Content, error) {
			asked++
			if half == evaluate.Left {
				return shown(k.left...), nil
			}
			return shown(k.right...), nil
		})
		if err != nil || !slices.Equal(got, k.want) || asked != k.asked {
			t.Errorf("%s: labels %v after %d halves, expected %v after %d (%v)", name, got, asked, k.want, k.asked, err)
		}
		for _, label := range got {
			for k := range halves {
				if f := flips[k][label]; f.Evidence < inHalves {
					t.Errorf("%s: evidence of %.1f by half %d", name, f.Evidence, k)
				}
			}
		}
	}
}

// What halves say of a label stands instead of what was said before, unless that was more.
func TestHalvesSayNoLess(t *testing.T) {
	before := []look.Evidence{{Label: 1, Says: look.CantTell}, {Label: 2}}
	for _, c := range []struct {
		e    look.Evidence
		want []look.Evidence
	}{
		{look.Evidence{Label: 1, Says: look.Poisoned}, []look.Evidence{{Label: 2}, {Label: 1, Says: look.Poisoned}}},
		{look.Evidence{Label: 1}, before},
		{look.Evidence{Label: 3}, append(slices.Clone(before), look.Evidence{Label: 3})},
	} {
		got := instead(slices.Clone(before), c.e)
		if !slices.EqualFunc(got, c.want, func(a, b look.Evidence) bool { return a.Label == b.Label && a.Says == b.Says }) {
			t.Errorf("%v after %v: %v", c.e, before, got)
		}
	}
}

// Only images both of whose halves are doubted are left out, and no more than half of the label: those that are doubted most.
func TestImagesDoubtedInBothHalves(t *testing.T) {
	content := &look.Content{Labels: []int32{1, 0, 0, 0, 0, 0, 0}}
	one := []float64{9, 9, 3, 4, -9, 2, 1}
	other := []float64{9, -9, 3, 3, 9, 1, 1}
	got := inBoth(content, 0, func(i int) float64 { return one[i] }, func(i int) float64 { return other[i] })
	if want := []int{2, 3, 5}; !slices.Equal(got, want) {
		t.Errorf("images %v, expected %v", got, want)
	}
	never := func(int) float64 { return math.Inf(-1) }
	if got := inBoth(content, 0, func(i int) float64 { return one[i] }, never); len(got) > 0 {
		t.Errorf("images %v have a half that shows their label", got)
	}
}

// Images whose halves show something else are poisoned where networks that learnt none of them say so too and they have something in
// common; wrong labels have nothing.
func TestImagesInDoubtByHalvesAreJudgedUnseen(t *testing.T) {
	clean, set, mislabelled, poisoned := stickers(t, 300)
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string][]float32{}
	keepContent(arrays, "content", set, func(i int) int { return int(set.Labels[i]) }) // networks that learnt the images find their label right
	for _, name := range []string{fmt.Sprintf("content.unseen.%d.left and right", target), fmt.Sprintf("content.without.%d", target)} {
		keepContent(arrays, name, clean, func(i int) int { return int(clean.Labels[i]) })
	}
	var cases []int
	for i, p := range poisoned {
		if p && len(cases) < 2*fewest {
			cases = append(cases, i)
		}
	}
	for name, data := range map[string]*train.Run{"stickers": {Data: set}, "wrong labels": {Data: mislabelled}} {
		data.Backend, data.Arrays = b, arrays
		c, err := look.NewCase(data, look.Settings{Content: true, Steps: look.Steps{Round: 60}})
		if err != nil {
			t.Fatal(err)
		}
		content, err := c.Content(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		e, found, err := halvesOf(context.Background(), c, content, target, "left and right", cases)
		if err != nil || found != (name == "stickers") {
			t.Fatalf("%s: found is %v, %v", name, found, err)
		}
		if !found {
			continue
		}
		if e.Says != look.Poisoned || !e.Right.Contradicted() || !e.Facts.(Facts).Left {
			t.Errorf("%s: says %v, %v", name, e.Says, e.Right)
		}
		if f := e.Facts.(Facts); f.Flagged < 40 || f.Evidence < leftOut {
			t.Errorf("%d planted images are flagged, of an evidence of %.1f", f.Flagged, f.Evidence)
		}
	}
}
