package audit

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/features"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/augment"
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
		s := stampOf(set, with, own, others)
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

// Images of a label are stamped where a pattern was found under it, to be told that they are not of it: as many as there are
// removed ones to learn it from, at most half of those that are kept; and as many of others, with their own labels.
func TestStamped(t *testing.T) {
	config := attack.Defaults("badnets")
	config.Target = 4
	_, set, poisoned := planted.Poison(t, config, signs.Render(1, 600, 10).Train)
	with, own, others := sides(set.Labels, poisoned, config.Target)
	want := stampOf(set, with, own, others)
	kept := slices.DeleteFunc(rng.Shuffle(0, "all", set.Len(), 0), func(i int) bool { return slices.Contains(with, i) })
	slices.Sort(kept)
	found := []Target{target(4, look.Poisoned, pixels.Name)}
	for _, c := range []struct {
		targets []Target
		against []int
		n       int
	}{
		{found, with[:20], 20},
		{found, with, len(own) / 2},
		{found, with[:stampFewest-1], 0},
		{[]Target{target(4, look.CantTell, pixels.Name)}, with, 0},
		{[]Target{target(4, look.Poisoned, features.Name)}, with, 0},
		{[]Target{target(3, look.Poisoned, pixels.Name)}, with, 0},
		{nil, with, 0},
	} {
		got := stamped(set, c.targets, kept, c.against, 1)
		seen, wrong := map[int]bool{}, 0
		for _, e := range got {
			if e.Wrong {
				wrong++
			}
			if seen[e.Image] || !slices.Contains(kept, e.Image) || e.Wrong != slices.Contains(own, e.Image) || e.Stamp == nil {
				t.Errorf("image %d is stamped, of a wrong label: %v", e.Image, e.Wrong)
			}
			seen[e.Image] = true
		}
		if len(got) != 2*c.n || wrong != c.n {
			t.Errorf("%+v, %d removed: %d are stamped, %d of them of the label, expected %d", c.targets, len(c.against), len(got), wrong, c.n)
		}
	}
	got := stamped(set, found, kept, with, 1)[0].Stamp
	for k, v := range want.Shift {
		if math.Abs(float64(got.Shift[k]-v)) > 1e-5 || math.Abs(float64(got.Scale[k]-want.Scale[k])) > 1e-5 {
			t.Fatalf("value %d: %g·x + %g, expected %g·x + %g", k, got.Scale[k], got.Shift[k], want.Scale[k], v)
		}
	}
}

// target is evidence of a label.
func target(label int, says look.Says, by look.Name) Target {
	return Target{Evidence: look.Evidence{Label: label, Says: says, Look: by}}
}
