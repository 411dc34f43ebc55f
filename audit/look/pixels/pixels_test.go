package pixels

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/train"
)

// caseOf is a case of a set under seed 0.
func caseOf(t *testing.T, set *dataset.Set) *look.Case {
	t.Helper()
	c, err := look.NewCase(&train.Run{Data: set}, look.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// byPixels looks at the pixels alone.
func byPixels(t *testing.T, set *dataset.Set) ([]look.Evidence, []float32) {
	t.Helper()
	c := caseOf(t, set)
	seen, err := Look{}.Ask(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Add(context.Background(), seen...); err != nil {
		t.Fatal(err)
	}
	return seen, c.Found()
}

// Patterns are found to the last image whatever their share, and neither honest images nor copies of one are taken for any.
func TestPixelsFindPatterns(t *testing.T) {
	const target = 4
	clean := signs.Render(1, 1200, 10).Train
	for _, c := range []struct {
		attack      string
		rate, cover float64
	}{{"badnets", 0.02, 0}, {"badnets", 0.5, 0}, {"badnets", 0.1, 0.1}, {"blend", 0.1, 0}, {"blend", 0.02, 0}} {
		config := attack.Defaults(c.attack)
		config.Target, config.Rate, config.Cover = target, c.rate, c.cover
		_, set, poisoned := planted.Poison(t, config, clean)
		seen, found := byPixels(t, set)
		if len(seen) != 1 || seen[0].Says != look.Poisoned || seen[0].Label != target || seen[0].Look != Name {
			t.Errorf("%+v: %+v", c, seen)
		}
		for i, p := range found {
			if poisoned[i] != (p > look.Flagged) {
				t.Errorf("%+v: image %d has a probability of %g, poisoned is %v", c, i, p, poisoned[i])
			}
		}
	}

	copied := &dataset.Set{Height: clean.Height, Width: clean.Width, Classes: clean.Classes, Labels: slices.Clone(clean.Labels), Pixels: slices.Clone(clean.Pixels)}
	first := slices.Index(copied.Labels, target)
	for n, i := 0, first+1; n < 40; i++ {
		if copied.Labels[i] == target {
			copy(copied.Image(i), copied.Image(first))
			n++
		}
	}
	for name, set := range map[string]*dataset.Set{"clean": clean, "copies": copied} {
		seen, found := byPixels(t, set)
		if len(seen) != 1 || seen[0].Says != look.NoEvidence || slices.Max(found) > 0 {
			t.Errorf("%s: %+v, probabilities up to %g", name, seen, slices.Max(found))
		}
		if far := seen[0].Score >= alone; far != (name == "copies") {
			t.Errorf("%s lie %g apart", name, seen[0].Score)
		}
	}
}

// A faint pattern in some of a label's images is little of what tells the label from others, and is found all the same.
func TestPixelsFindAFaintPattern(t *testing.T) {
	const target = 4
	config, err := attack.Parse("blend:alpha=0.03,rate=0.05")
	if err != nil {
		t.Fatal(err)
	}
	config.Target = target
	_, set, poisoned := planted.Poison(t, config, signs.Render(1, 2000, 10).Train)
	c, err := look.NewCase(&train.Run{Data: set}, look.Settings{Content: true})
	if err != nil {
		t.Fatal(err)
	}
	seen, err := Look{}.Ask(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0].Says != look.Poisoned || seen[0].Label != target {
		t.Fatalf("%+v", seen)
	}
	wrong := 0
	for i, p := range c.Carriers(seen[0]) {
		wrong += stat.Bit(poisoned[i] != (p > look.Flagged))
	}
	if wrong > 2 {
		t.Errorf("%d images are judged wrongly", wrong)
	}
}

// Large images are averaged down, and the number of threads changes nothing.
func TestPixelsOfLargeImages(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	small := signs.Render(1, 300, 10).Train
	const down, across = 1, 5
	h, w := down*small.Height, across*small.Width
	large := &dataset.Set{Height: h, Width: w, Classes: small.Classes, Labels: small.Labels, Pixels: make([]uint8, small.Len()*h*w*3)}
	for i := range large.Len() {
		for y := range h {
			for x := range w {
				copy(large.Image(i)[(y*w+x)*3:], small.Image(i)[(y/down*small.Width+x/across)*3:][:3])
			}
		}
	}
	s, err := caseOf(t, large).Spectra(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if s.Size() != 3*small.Height*((w+2)/3) {
		t.Errorf("looks at %d coefficients of %d×%d", s.Size(), h, w)
	}
	runtime.GOMAXPROCS(1)
	one, _ := byPixels(t, small)
	runtime.GOMAXPROCS(3)
	three, _ := byPixels(t, small)
	if one[0].Facts != three[0].Facts {
		t.Errorf("one thread sees %+v, three %+v", one[0], three[0])
	}
}

// A pattern is far from honest images, in one label mostly, and in images that differ.
func TestSaysByPixels(t *testing.T) {
	trigger := Facts{Counts: look.Counts{Images: 1000, Flagged: 500, Others: 9000}, Distance: 40, Spread: 0.9}
	for name, c := range map[string]struct {
		change func(t *Facts)
		want   look.Says
	}{
		"a pattern":             {func(*Facts) {}, look.Poisoned},
		"rare":                  {func(t *Facts) { t.Flagged, t.Distance = 12, 11 }, look.Poisoned},
		"with right labels":     {func(t *Facts) { t.Leak = 2000 }, look.Poisoned},
		"in every label":        {func(t *Facts) { t.Leak = 4000 }, look.NoEvidence},
		"close":                 {func(t *Facts) { t.Distance = 4.8 }, look.NoEvidence},
		"copies of one image":   {func(t *Facts) { t.Spread = 0.05 }, look.NoEvidence},
		"a matter of degree":    {func(t *Facts) { t.Between = 80 }, look.NoEvidence},
		"a handful of oddities": {func(t *Facts) { t.Flagged = 6 }, look.NoEvidence},
	} {
		f := trigger
		c.change(&f)
		if got := f.Says(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
