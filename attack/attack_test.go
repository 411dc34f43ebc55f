package attack

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

var ctx = context.Background()

// images are road signs, rendered once; tests leave them as they are.
var images = sync.OnceValue(func() *dataset.Data { return signs.Render(3, 400, 100) })

// small are the same at half the width and height, for attacks that learn.
var small = sync.OnceValue(func() *dataset.Data {
	d := *images()
	d.Train, d.Test = halved(d.Train), halved(d.Test)
	return &d
})

func halved(s *dataset.Set) *dataset.Set {
	h := &dataset.Set{Height: s.Height / 2, Width: s.Width / 2, Classes: s.Classes, Labels: slices.Clone(s.Labels)}
	for i := range s.Len() {
		img := s.Image(i)
		for y := range h.Height {
			for x := range h.Width {
				at := (2*y*s.Width + 2*x) * 3
				h.Pixels = append(h.Pixels, img[at:at+3]...)
			}
		}
	}
	return h
}

// quick makes an attack's training and optimisation short and its network small.
func quick(t *testing.T, name string) Config {
	t.Helper()
	c := Defaults(name)
	c.Target = 3
	if own := c.Surrogate(); own != nil {
		own.Network, own.Epochs = "small-cnn", 1
	}
	steps := "3"
	if name == "dynamic" { // a mask that has learnt nothing yet may hide a whole pattern
		steps = "20"
	}
	if slices.Contains(settings.Names(c.Own), "steps") {
		with(t, &c, "steps="+steps)
	}
	if c.Rate < 0.01 {
		with(t, &c, "rate=0.05,cover=0.05")
	}
	if name == "custom" {
		with(t, &c, "image="+picture(t, 8))
	}
	return c
}

// with changes settings as a user would.
func with(t *testing.T, c *Config, list string) {
	t.Helper()
	if err := settings.Set(list, &c.Common, c.Own); err != nil {
		t.Fatal(err)
	}
}

// picture writes a PNG: a red quarter that is half transparent, the rest empty.
func picture(t *testing.T, side int) string {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side / 2 {
		for x := range side / 2 {
			img.SetNRGBA(x, y, color.NRGBA{255, 0, 0, 128})
		}
	}
	path := filepath.Join(t.TempDir(), "trigger.png")
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	testfile.Write(t, path, b.Bytes())
	return path
}

func TestPoisonKeepsItsPromises(t *testing.T) {
	for _, m := range Builtin() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			c := quick(t, m.Name)
			d := images()
			if slices.Contains(settings.Names(c.Own), "steps") {
				d = small()
			}
			env := Env{Cache: t.TempDir()}
			a, err := New(ctx, c, d.Train, env)
			if err != nil {
				t.Fatal(err)
			}
			before := d.Train.Digest()
			p, truth, err := a.Poison(ctx, d.Train)
			if err != nil {
				t.Fatal(err)
			}
			if d.Train.Digest() != before {
				t.Error("the clean training set was changed")
			}
			promisedPoison(t, c, d.Train, p, truth)
			promisedTests(t, a, d.Test)

			// From the cache, from nothing and from a saved folder: the same bytes.
			for name, env := range map[string]Env{"cache": env, "nothing": {}} {
				again, err := New(ctx, c, d.Train, env)
				if err != nil {
					t.Fatal(err)
				}
				q, _, err := again.Poison(ctx, d.Train)
				if err != nil || q.Digest() != p.Digest() {
					t.Errorf("the same seed gives other poison from %s: %v", name, err)
				}
			}
			dir := t.TempDir()
			if err := a.Save(dir, d.Train.Classes); err != nil {
				t.Fatal(err)
			}
			opened, err := Open(dir, d.Test, Env{})
			if err != nil {
				t.Fatal(err)
			}
			trig, err := a.Triggered(ctx, d.Test)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := opened.Triggered(ctx, d.Test); err != nil || again.Digest() != trig.Digest() {
				t.Errorf("the saved attack gives other triggered images: %v", err)
			}
		})
	}
}

// promisedPoison compares a poisoned set with what it was made from.
func promisedPoison(t *testing.T, c Config, clean, p *dataset.Set, truth *Truth) {
	n, covered := 0, 0
	for i, poisoned := range truth.Poisoned {
		same := bytes.Equal(p.Image(i), clean.Image(i))
		if truth.Covered[i] {
			covered++
		}
		if !poisoned {
			if p.Labels[i] != clean.Labels[i] {
				t.Fatalf("image %d is said not to be poisoned and has another label", i)
			}
			if !same && !truth.Covered[i] {
				t.Fatalf("image %d is said to be clean and was changed", i)
			}
			continue
		}
		n++
		if truth.Covered[i] {
			t.Errorf("image %d is said to be poison and cover", i)
		}
		if same {
			t.Errorf("image %d is said to be poisoned and was not changed", i)
		}
		if p.Labels[i] != 3 {
			t.Errorf("image %d has label %d, the target is 3", i, p.Labels[i])
		}
		if (clean.Labels[i] == 3) != c.Method.CleanLabel {
			t.Errorf("image %d of class %d was taken", i, clean.Labels[i])
		}
	}
	if want := int(c.Rate*400 + 0.5); n != want {
		t.Errorf("%d images poisoned, expected %d", n, want)
	}
	if want := int(c.Cover*400 + 0.5); covered != want && c.Method.Name != "dfst" { // whose detoxification may find nothing
		t.Errorf("%d images cover, expected %d", covered, want)
	}
}

// promisedTests looks at test images with the trigger.
func promisedTests(t *testing.T, a *Attack, test *dataset.Set) {
	before := test.Digest()
	trig, err := a.Triggered(ctx, test)
	if err != nil {
		t.Fatal(err)
	}
	_, composes := a.trigger.(Composer)
	aimed := 0
	for c := range test.Classes {
		if a.Aims(c) {
			aimed += len(test.OfClass(int32(c)))
		}
	}
	if a.Aims(3) || !composes && trig.Len() != aimed {
		t.Errorf("%d triggered images of %d: target-class images must be left out", trig.Len(), aimed)
	}
	if again, err := a.Triggered(ctx, test); err != nil || again.Digest() != trig.Digest() || test.Digest() != before {
		t.Errorf("test images are changed, or get another trigger the next time: %v", err)
	}
	for _, l := range trig.Labels {
		if l != 3 {
			t.Fatal("a triggered image does not carry the target")
		}
	}
	marked, err := a.Marked(ctx, test)
	if composes != errors.Is(err, ErrSeveralClasses) {
		t.Errorf("marked images: %v", err)
	} else if !composes && (err != nil || !slices.Equal(marked.Labels, test.Labels) || bytes.Equal(marked.Pixels, test.Pixels)) {
		t.Error("marked images have other labels or no trigger")
	}
}

func TestAttacksShareADataSet(t *testing.T) {
	d := images()
	set := d.Train.Clone()
	var taken []bool
	for _, name := range []string{"badnets", "sig", "cba"} {
		a, err := New(ctx, quick(t, name), set, Env{})
		if err != nil {
			t.Fatal(err)
		}
		before := set.Clone()
		truth, err := a.PoisonInPlace(ctx, set, taken)
		if err != nil {
			t.Fatal(err)
		}
		changed := truth.Changed()
		for i := range changed {
			if taken != nil && taken[i] && (changed[i] || !bytes.Equal(before.Image(i), set.Image(i))) {
				t.Errorf("%s took image %d, which another attack has", name, i)
			}
			changed[i] = changed[i] || taken != nil && taken[i]
		}
		taken = changed
	}
}

// Grey images are kept as one channel: what is planted in place is what is planted in a copy.
func TestGreyImagesArePoisonedInPlace(t *testing.T) {
	set := images().Train.Clone()
	grey := make([]uint8, 0, set.Len()*set.Height*set.Width)
	for i := range set.Len() {
		for k, v := range set.Image(i) {
			if k%3 == 0 {
				grey = append(grey, v)
			}
		}
	}
	set.Pixels, set.Grey = grey, true
	a, err := New(ctx, quick(t, "badnets"), set, Env{})
	if err != nil {
		t.Fatal(err)
	}
	before := set.Clone()
	want, _, err := a.Poison(ctx, set)
	if err != nil {
		t.Fatal(err)
	}
	truth, err := a.PoisonInPlace(ctx, set, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, planted := range truth.Poisoned {
		if !bytes.Equal(set.Image(i), want.Image(i)) || bytes.Equal(set.Image(i), before.Image(i)) == planted {
			t.Fatalf("image %d, planted %v: changed %v", i, planted, !bytes.Equal(set.Image(i), before.Image(i)))
		}
	}
}

// A regularised attack lays its trigger over images that keep their labels, none of them of the target class.
func TestTheTriggerItselfCovers(t *testing.T) {
	d := images()
	for _, name := range []string{"badnets", "sig", "refool-clean"} {
		c := quick(t, name)
		c.Cover = 0.1
		a, err := New(ctx, c, d.Train, Env{})
		if err != nil {
			t.Fatal(err)
		}
		p, truth, err := a.Poison(ctx, d.Train)
		if err != nil {
			t.Fatal(err)
		}
		covered := 0
		for i, is := range truth.Covered {
			if !is {
				continue
			}
			covered++
			if l := p.Labels[i]; l != d.Train.Labels[i] || l == 3 || bytes.Equal(p.Image(i), d.Train.Image(i)) {
				t.Errorf("%s: covering image %d has label %d, was %d, or is unchanged", name, i, l, d.Train.Labels[i])
			}
		}
		if covered != 40 {
			t.Errorf("%s: %d images cover, expected 40", name, covered)
		}
		if test, err := a.Covered(ctx, d.Test); err != nil || test != nil {
			t.Errorf("%s: covered test images are triggered ones, %v", name, err)
		}
	}
	few, err := New(ctx, func() Config { c := quick(t, "badnets"); c.Rate, c.Cover = 0.1, 0.85; return c }(), d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	before := d.Train.Digest()
	if _, err := few.PoisonInPlace(ctx, d.Train, nil); err == nil || !strings.Contains(err.Error(), "cover 0.85 needs 340 images") || d.Train.Digest() != before {
		t.Errorf("more covering images than there are: %v", err)
	}
	for name, cover := range map[string]float64{"cl": 0.1, "fc": 0.1, "blend": 1, "trojan": -1} {
		c := quick(t, name)
		c.Cover = cover
		if _, err := New(ctx, c, d.Train, Env{}); err == nil {
			t.Errorf("%s with a covering share of %g was taken", name, cover)
		}
	}
}
