package attack

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/rng"
)

// However labels are given, no planted image keeps its own, labels are those that the attack aims at, and what is measured
// is what was planted.
func TestLabelsOfPlantedImages(t *testing.T) {
	d := images()
	for _, name := range []string{"badnets", "wanet", "bpp", "tact", "adaptive-patch"} {
		for how, aimed := range map[string][]int{
			"target=3": {3}, "targets=1,target=3": {3}, "targets=3,target=8": {0, 8, 9},
			"all_to_all=true": rng.Iota(10), "random_labels=true": rng.Iota(10),
		} {
			c, err := Parse(name + ":rate=0.1,cover=0.05," + how)
			if err != nil {
				t.Fatal(err)
			}
			a, err := New(ctx, c, d.Train, Env{})
			if err != nil {
				t.Fatal(err)
			}
			p, truth, err := a.Poison(ctx, d.Train)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Common.Aimed(10); !slices.Equal(got, aimed) {
				t.Errorf("%s %s aims at %v, expected %v", name, how, got, aimed)
			}
			aimed = c.Aimed(10)
			seen := map[int32]bool{}
			for i, poisoned := range truth.Poisoned {
				now, was := p.Labels[i], d.Train.Labels[i]
				if !poisoned {
					if now != was {
						t.Fatalf("%s %s: image %d is not poisoned and went from %d to %d", name, how, i, was, now)
					}
					continue
				}
				seen[now] = true
				if now == was || !slices.Contains(aimed, int(now)) || !a.Aims(int(was)) {
					t.Errorf("%s %s: an image of class %d became %d", name, how, was, now)
				}
				if c.AllToAll && now != (was+1)%10 || c.Targets == 3 && now != (8+was%3)%10 {
					t.Errorf("%s %s: class %d went to %d", name, how, was, now)
				}
			}
			if c.RandomLabels && len(seen) < 5 {
				t.Errorf("%s: random labels are of %d classes", name, len(seen))
			}
			for _, l := range aimed {
				if len(aimed) == 1 && !seen[int32(l)] {
					t.Errorf("%s %s: aims at %v, and no image became %d", name, how, aimed, l)
				}
			}
			trig, err := a.Triggered(ctx, d.Test)
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			for _, l := range d.Test.Labels {
				if a.Aims(int(l)) {
					want++
				}
			}
			if trig.Len() != want || want == 0 {
				t.Errorf("%s %s: %d triggered images, expected %d", name, how, trig.Len(), want)
			}
		}
	}
}

// With random labels no label is wanted: triggered images keep their own, and success is not to be given it.
func TestRandomLabelsSucceed(t *testing.T) {
	d := images()
	c, err := Parse("badnets:random_labels=true")
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(ctx, c, d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	trig, err := a.Triggered(ctx, d.Test)
	if err != nil || !slices.Equal(trig.Labels, d.Test.Labels) || bytes.Equal(trig.Pixels, d.Test.Pixels) {
		t.Errorf("triggered images have other labels or no trigger: %v", err)
	}
	if c.Success(30) != 70 || Defaults("badnets").Success(30) != 30 {
		t.Error("success is the wrong share")
	}
}

func TestLabelsThatExcludeEachOther(t *testing.T) {
	d := images()
	for spec, want := range map[string]string{
		"badnets:targets=2,all_to_all=true": "exclude", "badnets:random_labels=true,all_to_all=true": "exclude",
		"sig:targets=2": "keeps labels", "cl:random_labels=true": "keeps labels", "badnets:targets=11": "11 targets of 10 classes",
		"badnets:targets=10": "gives every class itself", "badnets:rate=0.99": "there are 360; try a rate up to 0.9",
		"badnets:all_to_all=true,target=0": "no target", "badnets:target=3,random_labels=true": "no target",
		"cba:random_labels=true": "one target", "badnets:rate=0.001": "less than one of 400 images; try 0.0025",
	} {
		c, err := Parse(spec)
		var a *Attack
		if err == nil {
			a, err = New(ctx, c, d.Train, Env{})
		}
		if err == nil {
			_, _, err = a.Poison(ctx, d.Train)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected something about %q", spec, err, want)
		}
	}
}

// A rate that is advised is one that is taken.
func TestAdvisedRates(t *testing.T) {
	whole := images().Train
	for _, n := range []int{1, 2, 7, 399} {
		few := whole.Subset(rng.Iota(n))
		for i := range few.Labels {
			if few.Labels[i] = 1; i%3 == 0 && n > 1 {
				few.Labels[i] = 0
			}
		}
		for _, rate := range []float64{1e-9, 0.999} {
			c := Defaults("badnets")
			for tries := 0; ; tries++ {
				c.Rate = rate
				a, err := New(ctx, c, few, Env{})
				if err == nil {
					_, _, err = a.Poison(ctx, few)
				}
				if err == nil {
					break
				}
				words := strings.Fields(err.Error())
				if rate, err = strconv.ParseFloat(words[len(words)-1], 64); err != nil || tries > 0 {
					t.Fatalf("%d images, rate %g: %v", n, c.Rate, strings.Join(words, " "))
				}
			}
		}
	}
	c, all := Defaults("badnets"), whole.Subset(rng.Iota(10))
	for i := range all.Labels {
		all.Labels[i] = 0
	}
	a, err := New(ctx, c, all, Env{})
	if err == nil {
		_, _, err = a.Poison(ctx, all)
	}
	if err == nil || !strings.HasSuffix(err.Error(), "there are 0") {
		t.Errorf("no image to poison: %v", err)
	}
}

// The smallest attack is one image.
func TestOneImage(t *testing.T) {
	d := images()
	c := Defaults("badnets")
	c.Rate = 1.0 / 400
	a, err := New(ctx, c, d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	_, truth, err := a.Poison(ctx, d.Train)
	n := 0
	for i := range truth.Poisoned {
		if truth.Poisoned[i] {
			n++
		}
	}
	if err != nil || n != 1 {
		t.Errorf("%d images: %v", n, err)
	}
}
