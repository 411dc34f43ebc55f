package content

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// A part of a label that lies apart is found in every fold, as the one that networks are less sure of; labels without one are parted by
// chance, or not at all.
func TestPartsOfLabels(t *testing.T) {
	const n, classes, width = 1200, 4, 5
	r := rng.Stream(1, "parts")
	labels, logs := make([]int32, n), make([][]float32, n)
	held := &look.Held{Rows: make([][]float32, n), Folds: make([][]int, 2)}
	var want []int
	for i := range labels {
		labels[i] = int32(i % classes)
		fold, apart := i/classes%2, labels[i] == 2 && i%3 == 0
		held.Rows[i] = make([]float32, width)
		for j := range width {
			held.Rows[i][j] = float32(r.NormFloat64())
		}
		logs[i] = make([]float32, classes)
		for class := range classes {
			logs[i][class] = likely(class == int(labels[i]))
		}
		if apart {
			held.Rows[i][3+fold] += 30 // networks have features of their own
			logs[i][2] -= 1
			want = append(want, i)
		}
		held.Folds[fold] = append(held.Folds[fold], i)
	}
	content := &look.Content{Labels: labels, P: stat.NewSoftmax(logs, 1)}
	content.Own = stat.Unfloored(content.P, labels, classes)
	if got := partsOf(held, content)[2]; !slices.Equal(got, want) {
		t.Errorf("a part of %d images, expected the %d that lie apart", len(got), len(want))
	}
	few := &look.Held{Rows: held.Rows, Folds: [][]int{held.Folds[0][:6*classes]}}
	for label, part := range partsOf(few, content) {
		if len(part) > 0 {
			t.Errorf("label %d of 6 images has a part of %d", label, len(part))
		}
	}
}

// A part whose images show the other classes as clearly as other labels' do when networks learnt none of it is poisoned where it has
// something in common. One that shows a single class, as a natural kind may, is not asked further.
func TestPartsAreJudgedUnseen(t *testing.T) {
	clean, set, _, poisoned := stickers(t, 300)
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	planted := look.Those(rng.Iota(set.Len()), func(i int) bool { return poisoned[i] })
	for name, shows := range map[string]func(i int) int{
		"planted": func(i int) int { return int(clean.Labels[i]) },
		"a kind": func(i int) int {
			if poisoned[i] {
				return (target + 1) % len(clean.Classes)
			}
			return int(clean.Labels[i])
		},
	} {
		arrays := map[string][]float32{}
		keepContent(arrays, "content", set, func(i int) int { return int(set.Labels[i]) })
		for _, key := range []string{fmt.Sprintf("content.unseen.%d.parts", target), fmt.Sprintf("content.without.%d", target)} {
			keepContent(arrays, key, clean, shows)
		}
		c, err := look.NewCase(&train.Run{Data: set, Backend: b, Arrays: arrays}, look.Settings{Content: true, Steps: look.Steps{Round: 60}})
		if err != nil {
			t.Fatal(err)
		}
		content, err := c.Content(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		e, found, err := partOf(context.Background(), c, content, labelPart{label: target, images: planted})
		if err != nil || found != (name == "planted") {
			t.Fatalf("%s: found is %v, %v", name, found, err)
		}
		if found && (e.Says != look.Poisoned || !e.Facts.(Facts).Left || e.Facts.(Facts).Flagged < len(planted)/2) {
			t.Errorf("%s: says %v, %+v", name, e.Says, e.Facts)
		}
	}
}

// A part is in doubt where it tells more than other labels' parts, and enough, nothing was found under the label, and it is not most of it.
func TestPartsInDoubt(t *testing.T) {
	const n, classes = 400, 4
	labels, logs := make([]int32, n), make([][]float32, n)
	parts := make([][]int, classes)
	for i := range labels {
		labels[i] = int32(i % classes)
		shows := int(labels[i])
		if labels[i] == 1 { // any other class
			shows = (1 + 1 + i/classes%3) % classes
		}
		logs[i] = make([]float32, classes)
		for class := range classes {
			logs[i][class] = likely(class == shows)
		}
		if i/classes < 50 {
			parts[labels[i]] = append(parts[labels[i]], i)
		}
	}
	content := &look.Content{Labels: labels, P: stat.NewSoftmax(logs, 1)}
	doubted := partsInDoubt(parts, content, nil)
	if len(doubted) != 1 || doubted[0].label != 1 || doubted[0].shows < 0.9 || doubted[0].usual > 0.1 || doubted[0].most(content) {
		t.Errorf("in doubt are %+v, expected the part of label 1", doubted)
	}
	if got := partsInDoubt(parts, content, []look.Evidence{{Label: 1, Says: look.Poisoned}}); len(got) > 0 {
		t.Errorf("a label under which something was found is asked about again")
	}
	parts[1] = parts[1][:30]
	if got := partsInDoubt(parts, content, nil); len(got) > 0 {
		t.Errorf("30 images are in doubt")
	}
	if d := (labelPart{label: 1, images: rng.Iota(90)}); !d.most(content) {
		t.Error("90 of 100 images are not most of a label")
	}
}

// Of several parts that are left out together those are kept that name the other classes as well as other labels' images do.
func TestPartsAreLeftOutTogether(t *testing.T) {
	clean, set, _, poisoned := stickers(t, 300)
	const other = 1 // another label, a part of which shows the next class to networks that did not learn it
	kind := look.Those(rng.Iota(set.Len()), func(i int) bool { return set.Labels[i] == other })
	arrays := map[string][]float32{}
	keepContent(arrays, "content.unseen.-1.parts", clean, func(i int) int {
		if set.Labels[i] == other {
			return other + 1
		}
		return int(clean.Labels[i])
	})
	c, err := look.NewCase(&train.Run{Data: set, Arrays: arrays}, look.Settings{Content: true})
	if err != nil {
		t.Fatal(err)
	}
	planted := look.Those(rng.Iota(set.Len()), func(i int) bool { return poisoned[i] })
	kept, err := leftTogether(context.Background(), c, []labelPart{{label: other, images: kind}, {label: target, images: planted}})
	if err != nil || len(kept) != 1 || kept[0].label != target {
		t.Errorf("kept are %+v (%v), expected the planted images", kept, err)
	}
}

// What images tell of the classes but for one leaves that one out, however sure it is.
func TestOtherwise(t *testing.T) {
	logs := [][]float32{{9, 1, -9}, {9, -9, 1}}
	content := &look.Content{Labels: []int32{0, 0}, P: stat.NewSoftmax(logs, 1)}
	if got := otherwise(content, []int{0, 1}, 0); got < 0.69 {
		t.Errorf("%.3f nats, expected nearly ln 2: they are of one class each, if not of the first", got)
	}
	if got := otherwise(content, []int{0, 1}, 1); got > 0.01 {
		t.Errorf("%.3f nats, expected next to none: both are of the first", got)
	}
}
