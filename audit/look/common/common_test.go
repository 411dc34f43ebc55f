package common

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/train"
)

// commonIn looks for a pattern under many labels.
func commonIn(t *testing.T, set *dataset.Set) (*pattern, []float32) {
	t.Helper()
	c, err := look.NewCase(&train.Run{Data: set}, look.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	found, p, err := find(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return found, p
}

// A pattern that every label has is found to the last image; what one label has is left to the look at labels, and honest
// images have none.
func TestCommonPatternsAreFound(t *testing.T) {
	clean := signs.Render(1, 1200, 10).Train
	for _, c := range []struct {
		attack string
		rate   float64
	}{{"badnets", 0.1}, {"badnets", 0.03}, {"blend", 0.1}, {"blend", 0.3}} {
		config := attack.Defaults(c.attack)
		config.AllToAll, config.Rate = true, c.rate
		_, set, poisoned := planted.Poison(t, config, clean)
		found, p := commonIn(t, set)
		if found == nil {
			t.Errorf("%+v: nothing found", c)
			continue
		}
		t.Logf("%+v: %.2f apart, variation %.2f", c, found.Distance, found.Spread)
		for i, p := range p {
			if poisoned[i] != (p > look.Flagged) {
				t.Errorf("%+v: image %d has a probability of %g, poisoned is %v", c, i, p, poisoned[i])
			}
		}
	}
	if found, _ := commonIn(t, clean); found != nil {
		t.Errorf("clean signs: %.2f apart", found.Distance)
	}
	_, set, _ := planted.Poison(t, attack.Defaults("badnets"), clean)
	if found, _ := commonIn(t, set); found != nil {
		t.Errorf("one label's pattern: %.2f apart", found.Distance)
	}
}

// Of two labels one nearly always has more than half of what both have, by chance alone: that is no pattern of one label.
func TestCommonPatternsOfTwoLabels(t *testing.T) {
	all := signs.Render(1, 3000, 10).Train
	var images []int
	for i, y := range all.Labels {
		if y < 2 {
			images = append(images, i)
		}
	}
	clean := all.Subset(images)
	clean.Classes = clean.Classes[:2]
	config := attack.Defaults("badnets")
	for seed := range uint64(4) {
		config.AllToAll, config.Seed, config.Rate = true, seed, 0.2
		_, set, poisoned := planted.Poison(t, config, clean)
		found, p := commonIn(t, set)
		if found == nil {
			t.Errorf("seed %d: nothing found", seed)
			continue
		}
		wrong := 0
		for i, p := range p {
			wrong += stat.Bit(poisoned[i] != (p > look.Flagged))
		}
		if wrong > 0 {
			t.Errorf("seed %d: %d images are judged wrongly", seed, wrong)
		}
	}
	config.AllToAll, config.Rate = false, 0.2
	_, set, _ := planted.Poison(t, config, clean)
	if found, _ := commonIn(t, set); found != nil {
		t.Errorf("one label's pattern: %.2f apart", found.Distance)
	}
}

// A pattern is one label's where that has most of it, and more of it than of all images.
func TestPatternsOfOneLabel(t *testing.T) {
	for _, c := range []struct {
		carry, searched []int
		want            bool
	}{
		{[]int{30, 26}, []int{500, 500}, false},
		{[]int{56, 0}, []int{500, 500}, true},
		{[]int{50, 6}, []int{900, 100}, false},
		{[]int{100, 0}, []int{800, 200}, true},
		{[]int{30, 10, 10}, []int{300, 300, 300}, true},
		{[]int{24, 12, 14}, []int{300, 300, 300}, false},
	} {
		if got := ofOne(c.carry, c.searched); got != c.want {
			t.Errorf("%v of %v: %v", c.carry, c.searched, got)
		}
	}
}

// A pattern under many labels was planted where their images show something else than their labels say, or where one label's do
// alone.
func TestSaysByCommonPattern(t *testing.T) {
	wrong, right := &look.Right{Suspects: 0.1, Rest: 0.7}, &look.Right{Suspects: 0.6, Rest: 0.7}
	everyLabel := Facts{Counts: look.Counts{Images: 1000, Flagged: 100, Others: 9000, Leak: 900}, Distance: 40, Spread: 0.9, Under: wrong, All: wrong, Classes: 10}
	for name, c := range map[string]struct {
		change func(t *Facts)
		want   look.Says
	}{
		"every label wrong":   {func(*Facts) {}, look.Poisoned},
		"few under this one":  {func(t *Facts) { t.Flagged, t.Leak, t.Under = 3, 60, nil }, look.Poisoned},
		"few at all":          {func(t *Facts) { t.Flagged, t.Leak = 3, 40 }, look.NoEvidence},
		"a watermark":         {func(t *Facts) { t.Under, t.All = right, right }, look.NoEvidence},
		"close":               {func(t *Facts) { t.Distance = 8 }, look.NoEvidence},
		"copies of one image": {func(t *Facts) { t.Spread = 0.05 }, look.NoEvidence},
		"a matter of degree":  {func(t *Facts) { t.Between = 80 }, look.NoEvidence},
		"no network":          {func(t *Facts) { t.Under, t.All = nil, nil }, look.CantTell},
		"this one wrong":      {func(t *Facts) { t.All = right }, look.Poisoned},
		"this one right":      {func(t *Facts) { t.Under = right }, look.NoEvidence},
		"few of this one":     {func(t *Facts) { t.Flagged, t.All = 20, right }, look.NoEvidence},
		"by chance":           {func(t *Facts) { t.Flagged, t.Under = 5, right }, look.Poisoned},
		"hard to tell":        {func(t *Facts) { t.Flagged, t.Under, t.All = 50, &look.Right{Suspects: 0.07, Rest: 0.13}, right }, look.NoEvidence},
		"nobody knows":        {func(t *Facts) { t.Under = &look.Right{Suspects: 0.3, Rest: 0.3} }, look.Poisoned},
		"unknown labels":      {func(t *Facts) { t.Under, t.All = nil, &look.Right{Suspects: 0.005, Rest: 0.01} }, look.CantTell},
		"nothing known":       {func(t *Facts) { t.Under, t.All = &look.Right{}, &look.Right{} }, look.CantTell},
		"few in all": {func(t *Facts) {
			t.Flagged, t.Leak, t.Under, t.All = 6, 44, nil, &look.Right{Suspects: 0.07, Rest: 0.12}
		}, look.CantTell},
	} {
		f := everyLabel
		c.change(&f)
		if got := f.Says(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
