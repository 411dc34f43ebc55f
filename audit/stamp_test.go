package audit

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/content"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/rng"
)

// sides returns which images of signs were poisoned, and which others are of the target and which are not.
func sides(labels []int32, poisoned []bool, target int) (with, own, others []int) {
	for i, l := range labels {
		switch {
		case poisoned[i]:
			with = append(with, i)
		case int(l) == target:
			own = append(own, i)
		default:
			others = append(others, i)
		}
	}
	return with, own, others
}

// What is learnt from poisoned images does to others what the attacker does: a sticker and a blended picture, on images of
// all labels, and a wave on images of the target alone.
func TestStampIsTheTrigger(t *testing.T) {
	const target = 4
	d := signs.Render(1, 2000, 300)
	for name, most := range map[string]float64{
		"badnets": 0.2, "blend": 0.05,
		"sig": 0.4, // it is stronger in test images, which alone is 0.04, and few are poisoned
	} {
		config := attack.Defaults(name)
		config.Target = target
		a, set, poisoned := planted.Poison(t, config, d.Train)
		with, own, others := sides(set.Labels, poisoned, target)
		s := look.StampOf(set, with, own, others)
		triggered, err := a.Triggered(context.Background(), d.Test)
		if err != nil {
			t.Fatal(err)
		}
		var left, before float64 // Σ of squared differences from the attacker's images
		k := 0
		for i, l := range d.Test.Labels {
			if int(l) == target {
				continue
			}
			x, want := make([]float32, d.Test.ImageBytes()), make([]float32, d.Test.ImageBytes())
			augment.Plain(x, d.Test.Image(i))
			augment.Plain(want, triggered.Image(k))
			k++
			for j, v := range want {
				before += float64((x[j] - v) * (x[j] - v))
			}
			s.Apply(x)
			for j, v := range want {
				left += float64((x[j] - v) * (x[j] - v))
			}
		}
		if !(left < most*before) {
			t.Errorf("%s: %.3f of the difference's energy is left", name, left/before)
		}
	}
}

// The images of a shortcut come back, and its pattern is laid on all images of other labels in the same share of the epochs, each shown
// once; of what is no shortcut nothing does.
func TestPurify(t *testing.T) {
	config := attack.Defaults("badnets")
	config.Target, config.Rate = 4, 0.03
	_, set, poisoned := planted.Poison(t, config, signs.Render(1, 600, 10).Train)
	with, own, others := sides(set.Labels, poisoned, config.Target)
	want := look.StampOf(set, with, own, others)
	kept := slices.DeleteFunc(rng.Shuffle(0, "all", set.Len(), 0), func(i int) bool { return slices.Contains(with, i) })
	slices.Sort(kept)
	share := float64(len(with)) / float64(len(with)+len(own))
	unasked := target(4, look.Shortcut, pixels.Name) // nobody could tell whether its labels are right
	unasked.Right = nil
	for name, c := range map[string]struct {
		targets []Target
		removed []int
		n       int // of other labels
	}{
		"shortcut": {[]Target{target(4, look.Shortcut, pixels.Name)}, with, int(min(mostStamped, share) * float64(len(others)))},
		"few":      {[]Target{target(4, look.Shortcut, pixels.Name)}, with[:look.StampFewest-1], 0},
		"open":     {[]Target{target(4, look.CantTell, pixels.Name)}, with, 0},
		"poisoned": {[]Target{target(4, look.Poisoned, pixels.Name)}, with, 0},
		"both":     {[]Target{target(4, look.Poisoned, content.Name), target(4, look.Shortcut, pixels.Name)}, with, 0},
		"twice":    {[]Target{target(4, look.Shortcut, pixels.Name), target(4, look.Shortcut, content.Name)}, with, int(min(mostStamped, share) * float64(len(others)))},
		"unasked":  {[]Target{unasked}, with, 0},
		"label":    {[]Target{target(3, look.Shortcut, pixels.Name)}, with, 0},
	} {
		f := &Found{Verdict: &Verdict{Targets: c.targets}, Removed: c.removed, Kept: kept}
		l := Lessons{Kept: kept}
		back := make([]bool, set.Len())
		f.purify(set, &l, back, 1)
		seen := map[int]bool{}
		for _, i := range l.Kept {
			seen[i] = true
		}
		stamped, often := 0, 0.0
		for _, e := range l.More {
			if seen[e.Image] || e.Label != nil {
				t.Errorf("%s: image %d is shown as %+v", name, e.Image, e)
			}
			seen[e.Image] = true
			if e.Stamp == nil {
				continue
			}
			stamped++
			often += e.Share
			if int(set.Labels[e.Image]) == 4 { // the sticker hides what is below it
				t.Errorf("%s: image %d of the label is stamped", name, e.Image)
			}
			for k, v := range want.Shift {
				if math.Abs(float64(e.Stamp.Shift[k]-v)) > 1e-5 || math.Abs(float64(e.Stamp.Scale[k]-want.Scale[k])) > 1e-5 {
					t.Fatalf("%s: value %d: %g·x + %g, expected %g·x + %g", name, k, e.Stamp.Scale[k], e.Stamp.Shift[k], want.Scale[k], v)
				}
			}
		}
		returned, all := 0, 0
		if c.n > 0 {
			returned, all = len(with), len(others)
		}
		if stamped != all || math.Abs(often-float64(c.n)) > 1 || f.Stamped != c.n || f.Returned != returned || len(seen) != len(kept)+returned {
			t.Errorf("%s: %d stamped, %g an epoch, and %d returned, expected %d, %d and %d; %d are shown", name, stamped, often, f.Returned, all, c.n, returned, len(seen))
		}
	}
}

// A removed image is shown under the label that it surely shows, or not at all.
func TestLessonsCorrect(t *testing.T) {
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b"}, Labels: []int32{0, 0, 1, 1}, Pixels: make([]uint8, 12)}
	for correct, want := range map[bool]int{true: 1, false: 0} {
		f := &Found{Verdict: &Verdict{}, Labels: []int32{1, -1, -1, -1}, Kept: []int{2, 3}, Removed: []int{0, 1}}
		l := f.Lessons(set, Options{Correct: correct}, 1)
		if len(l.More) != want || f.Corrected != want || len(l.Unseen) != 2-want {
			t.Fatalf("%+v, corrected %d", l, f.Corrected)
		}
		if correct && (l.More[0].Image != 0 || *l.More[0].Label != 1 || l.Unseen[0] != 1) {
			t.Errorf("%+v", l)
		}
		if !slices.Equal(f.Untaught, []string{"a"}) { // whose second image nothing shows either
			t.Errorf("%q are untaught", f.Untaught)
		}
	}
}

// target is evidence of a label.
func target(label int, says look.Says, by look.Name) Target {
	return Target{Evidence: look.Evidence{Label: label, Says: says, Look: by, Moved: &look.Moved{After: 1}, Right: &look.Right{Suspects: 1, Rest: 1}}}
}

// The pattern of corrected images is laid on as large a share of the target's own images as carries it elsewhere, and on images of labels
// that few were corrected to; where nothing was corrected, on none.
func TestEven(t *testing.T) {
	config := attack.Defaults("badnets")
	config.Target, config.Rate = 4, 0.1
	clean := signs.Render(1, 900, 10).Train
	_, set, poisoned := planted.Poison(t, config, clean)
	var removed, kept []int
	f := &Found{Verdict: &Verdict{Targets: []Target{target(4, look.Poisoned, pixels.Name)}}, Labels: slices.Repeat([]int32{-1}, set.Len())}
	for i, p := range poisoned {
		if p {
			removed = append(removed, i)
		} else {
			kept = append(kept, i)
		}
	}
	f.Removed, f.Kept = removed, kept
	if l := f.Lessons(set, Options{Correct: true, Stamp: true}, 1); f.Evened != 0 || len(l.More) != 0 {
		t.Errorf("%d images have the pattern of images that were not corrected", f.Evened)
	}
	const poor = 1 // a label that nothing is corrected to
	corrected, others := 0, 0
	for _, i := range removed {
		if c := clean.Labels[i]; c != poor {
			f.Labels[i] = c
			corrected++
		}
	}
	count := make([]int, len(set.Classes))
	for _, i := range kept {
		count[set.Labels[i]]++
		others += stat.Bit(set.Labels[i] != 4)
	}
	share := float64(corrected) / float64(corrected+others)
	l := f.Lessons(set, Options{Correct: true, Stamp: true}, 1)
	laid := make([]int, len(set.Classes))
	seen := map[int]bool{}
	for _, i := range l.Kept {
		seen[i] = true
	}
	for _, e := range l.More {
		if (e.Stamp != nil) != seen[e.Image] {
			t.Errorf("image %d: %+v, and as it is: %v", e.Image, e, seen[e.Image])
		}
		if e.Stamp == nil {
			seen[e.Image] = true
		} else {
			if e.Label != nil {
				t.Errorf("image %d has the pattern under another label", e.Image)
			}
			laid[set.Labels[e.Image]]++
		}
	}
	if len(seen) != len(kept)+corrected {
		t.Errorf("%d images are shown, expected %d", len(seen), len(kept)+corrected)
	}
	for _, c := range []int{4, poor} {
		want := int(share * float64(count[c]))
		if c == 4 {
			want = int(share * targetShare * float64(count[c]))
		}
		if laid[c] != want || want == 0 {
			t.Errorf("label %d: %d of %d images have the pattern, expected %d", c, laid[c], count[c], want)
		}
	}
	if without := f.Lessons(set, Options{Correct: true}, 1); len(without.More) != corrected {
		t.Errorf("%d more images without stamps, expected %d", len(without.More), corrected)
	}
}

// Where nearly all images of a label share a pattern that can be lifted, it is lifted in so many epochs that a tenth of the label's
// images carry it in each, as a tenth of the others' do then.
func TestPurifyLifts(t *testing.T) {
	config := attack.Defaults("sig")
	config.Target, config.Rate = 4, 0.08
	_, set, poisoned := planted.Poison(t, config, signs.Render(1, 600, 10).Train)
	with, own, others := sides(set.Labels, poisoned, config.Target)
	f := &Found{Verdict: &Verdict{Targets: []Target{target(4, look.Shortcut, pixels.Name)}}, Removed: with, Kept: stat.Union(own, others)}
	l := Lessons{Kept: f.Kept}
	f.purify(set, &l, make([]bool, set.Len()), 1)
	as, laid := 0.0, 0.0
	inverse := look.StampOf(set, with, own, others).Inverse()
	for _, e := range l.More {
		switch under := int(set.Labels[e.Image]) == 4; {
		case !under:
			laid += e.Share
		case e.Stamp == nil:
			t.Fatalf("image %d always carries the pattern", e.Image)
		default:
			as += 1 - e.Share
			if !slices.Equal(e.Stamp.Scale, inverse.Scale) || !slices.Equal(e.Stamp.Shift, inverse.Shift) {
				t.Fatalf("image %d has another stamp", e.Image)
			}
		}
	}
	if some := mostLifted * float64(len(with)+len(own)); float64(len(with)) <= some || math.Abs(as-some) > 1e-6 || math.Abs(laid-mostLifted*float64(len(others))) > 1e-6 {
		t.Errorf("an epoch shows %d with the pattern and %d without it: %g as they are; %g of %d others have it", len(with), len(own), as, laid, len(others))
	}
}

// Where two labels have shortcuts, each pattern is laid on images of all other labels, on none both, and in its share of them.
func TestPurifyTwo(t *testing.T) {
	config := attack.Defaults("badnets")
	config.Target, config.Rate = 4, 0.03
	_, set, poisoned := planted.Poison(t, config, signs.Render(1, 600, 10).Train)
	with, own, _ := sides(set.Labels, poisoned, config.Target)
	f := &Found{Verdict: &Verdict{Targets: []Target{target(4, look.Shortcut, pixels.Name), target(2, look.Shortcut, pixels.Name)}}}
	all := rng.Iota(set.Len())
	second := look.Those(all, func(i int) bool { return set.Labels[i] == 2 })
	carry := second[:len(second)/3]
	f.Removed = stat.Union(with, carry)
	f.Kept = look.Those(all, func(i int) bool { return !slices.Contains(f.Removed, i) })
	l := Lessons{Kept: f.Kept}
	f.purify(set, &l, make([]bool, set.Len()), 1)
	sum := map[*augment.Stamp]float64{}
	on := map[*augment.Stamp]map[int32]bool{}
	seen := map[int]bool{}
	for _, e := range l.More {
		if seen[e.Image] {
			t.Fatalf("image %d is shown twice", e.Image)
		}
		if seen[e.Image] = true; e.Stamp == nil {
			continue
		}
		sum[e.Stamp] += e.Share
		if on[e.Stamp] == nil {
			on[e.Stamp] = map[int32]bool{}
		}
		on[e.Stamp][set.Labels[e.Image]] = true
	}
	if len(sum) != 2 || len(seen)+len(l.Kept) != set.Len() {
		t.Fatalf("%d patterns, %d images are shown, expected 2 and %d", len(sum), len(seen)+len(l.Kept), set.Len())
	}
	for s, labels := range on {
		label, share := 4, float64(len(with))/float64(len(with)+len(own))
		if labels[4] {
			label, share = 2, float64(len(carry))/float64(len(second))
		}
		others := len(look.Those(f.Kept, func(i int) bool { return int(set.Labels[i]) != label }))
		if want := min(mostStamped, share) * float64(others); labels[int32(label)] || len(labels) != len(set.Classes)-1 || math.Abs(sum[s]-want) > 1e-6*want {
			t.Errorf("the pattern of label %d is laid on %g images of %d labels an epoch, expected %g", label, sum[s], len(labels), want)
		}
	}
}
