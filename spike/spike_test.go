package spike

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// A search that finds what lies under a label from so many images on is found to do so, whatever its limits are, and sees copies
// in which no suspect was touched.
func TestLimitsAreFound(t *testing.T) {
	d := signs.Render(1, 2000, 10)
	suspected := make([]bool, d.Train.Len())
	for i := range suspected {
		suspected[i] = i%10 == 0
	}
	before, digest := d.Train.Counts(), d.Train.Digest()
	v := &audit.Verdict{Targets: []audit.Target{{Class: "stop", Evidence: look.Evidence{Label: 0, Says: look.Poisoned}}}}
	for _, needs := range []int{0, 3, 6, 10, 45, 160, 1000} {
		asked := 0
		limits, err := Run(context.Background(), d, 1, v, suspected, func(_ context.Context, copied *dataset.Data, number int) (*audit.Verdict, error) {
			if asked++; number != asked || copied.Train == d.Train {
				t.Fatalf("copy %d is number %d", number, asked)
			}
			got := *v
			planted := 0
			for label, n := range copied.Train.Counts() {
				if more := n - before[label]; more > 0 {
					planted++
				}
			}
			if planted < 2 {
				t.Errorf("planted under %d labels", planted)
			}
			moved := make([]int, len(before))
			for i, l := range copied.Train.Labels {
				if l != d.Train.Labels[i] {
					if moved[l]++; suspected[i] {
						t.Fatalf("image %d was suspected before", i)
					}
				}
			}
			for label, n := range moved {
				if n >= max(needs, 1) {
					got.Targets = append(got.Targets, audit.Target{Evidence: look.Evidence{Label: label, Says: look.Poisoned}})
				}
			}
			return &got, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(limits) != len(attacks()) || asked != Copies {
			t.Fatalf("%d limits of %d copies", len(limits), asked)
		}
		labels := map[string]bool{"stop": true}
		for _, l := range limits {
			if labels[l.Class] {
				t.Errorf("%s is taken", l.Class)
			}
			labels[l.Class] = true
			want := 0.0 // the least rate that is enough
			for level := levels; level > 0 && count(rate(level), 2000) >= needs; level-- {
				want = float64(count(rate(level), 2000)) / 2000
			}
			if math.Abs(l.Rate-want) > 1e-12 || l.Found() != (needs <= 160) {
				t.Errorf("%d images are needed: %+v, expected a rate of %g", needs, l, want)
			}
		}
	}
	if d.Train.Digest() != digest {
		t.Error("the data were changed, and not their copies")
	}
}

// Of few images no fewer than three are planted, and the limit is the share that they are.
func TestLimitsAreWhatWasPlanted(t *testing.T) {
	for _, images := range []int{60, 300} {
		d := signs.Render(1, images, 10)
		limits, err := Run(context.Background(), d, 1, &audit.Verdict{}, make([]bool, images), func(_ context.Context, copied *dataset.Data, _ int) (*audit.Verdict, error) {
			moved := make([]int, len(d.Train.Classes))
			got := &audit.Verdict{}
			for i, l := range copied.Train.Labels {
				if l != d.Train.Labels[i] {
					moved[l]++
				}
			}
			for label, n := range moved {
				if n > 0 {
					got.Targets = append(got.Targets, audit.Target{Evidence: look.Evidence{Label: label, Says: look.Poisoned}})
				}
			}
			return got, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range limits {
			if l.Images != fewest || math.Abs(l.Rate*float64(images)-fewest) > 1e-9 || math.Abs(l.Most*float64(images)-math.Round(max(fewest, most*float64(images)))) > 1e-9 {
				t.Errorf("%d images: %+v", images, l)
			}
		}
	}
}

// What no audit can make room for is refused before it.
func TestCheckIsOfTheData(t *testing.T) {
	set := signs.Render(1, 300, 10).Train
	if err := Check(set, 1); err != nil {
		t.Error(err)
	}
	clear(set.Labels)
	if err := Check(set, 1); err == nil || !strings.Contains(err.Error(), "there are 1") {
		t.Errorf("one label: %v", err)
	}
}

// Few labels carry fewer spikes, and one label none.
func TestSpikesNeedLabels(t *testing.T) {
	d := signs.Render(1, 300, 10)
	all := &audit.Verdict{}
	for label := range len(d.Train.Classes) - 2 {
		all.Targets = append(all.Targets, audit.Target{Evidence: look.Evidence{Label: label, Says: look.Shortcut}})
	}
	if s, why, err := choose(d.Train, 1, all, nil); err != nil || len(s) != 1 || !strings.Contains(why, "there are 2") {
		t.Errorf("%d spikes, %q, %v", len(s), why, err)
	}
	limits, err := Run(context.Background(), d, 1, all, make([]bool, d.Train.Len()), func(context.Context, *dataset.Data, int) (*audit.Verdict, error) { return all, nil })
	if err != nil || len(limits) != len(attacks()) {
		t.Fatalf("%+v, %v", limits, err)
	}
	for k, l := range limits {
		if l.Attack != attacks()[k] || (l.NotTried != "") != (k > 0) || (l.Class == "") != (k > 0) || (l.Most == 0) != (k > 0) {
			t.Errorf("%+v", l)
		}
	}
	all.Targets = append(all.Targets, audit.Target{Evidence: look.Evidence{Label: len(d.Train.Classes) - 2, Says: look.Poisoned}})
	limits, err = Run(context.Background(), d, 1, all, make([]bool, d.Train.Len()), func(context.Context, *dataset.Data, int) (*audit.Verdict, error) {
		t.Error("a copy with nothing in it is audited")
		return all, nil
	})
	if err != nil || len(limits) != len(attacks()) || slices.ContainsFunc(limits, func(l Limit) bool { return !strings.Contains(l.NotTried, "there are 1") }) {
		t.Errorf("one label is enough, or the audit is lost: %+v, %v", limits, err)
	}
}

// Where most images are under one label, attacks can't aim at it: too few lie outside.
func TestChooseLeavesRoom(t *testing.T) {
	set := signs.Render(1, 200, 0).Train
	set.Classes = set.Classes[:2]
	for i := range set.Labels {
		set.Labels[i] = int32(stat.Bit(i < 10))
	}
	for seed := range uint64(8) {
		s, why, err := choose(set, seed, &audit.Verdict{}, nil)
		if err != nil || len(s) != 1 || s[0].class != 1 || !strings.Contains(why, "only 1 have as many") {
			t.Fatalf("seed %d: %+v, %q, %v", seed, s, why, err)
		}
	}
	if s, why, err := choose(set, 1, &audit.Verdict{}, slices.Repeat([]bool{true}, 200)); len(s) > 0 || why == "" || err != nil {
		t.Error("no image is left, and attacks have labels")
	}
}

// Images that contradict themselves, and marks of others, are errors.
func TestWrongImagesAreRefused(t *testing.T) {
	d := signs.Render(1, 200, 10)
	never := func(context.Context, *dataset.Data, int) (*audit.Verdict, error) {
		t.Error("it was searched")
		return &audit.Verdict{}, nil
	}
	if _, err := Run(context.Background(), d, 1, &audit.Verdict{}, make([]bool, 7), never); err == nil || !strings.Contains(err.Error(), "7 images are suspected") {
		t.Error(err)
	}
	d.Train.Labels[5] = 99
	if _, err := Run(context.Background(), d, 1, &audit.Verdict{}, nil, never); err == nil || !strings.Contains(err.Error(), "the label 99") {
		t.Error(err)
	}
}
