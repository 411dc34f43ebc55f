package attack

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

func images() *dataset.Data { return signs.Render(3, 400, 100) }

func TestPoisonKeepsItsPromises(t *testing.T) {
	d := images()
	for _, m := range Methods {
		t.Run(m.Name, func(t *testing.T) {
			c := Defaults(m.Name)
			c.Target = 2
			a, err := New(context.Background(), c, d.Train)
			if err != nil {
				t.Fatal(err)
			}
			before := d.Train.Digest()
			p, truth, err := a.Poison(d.Train)
			if err != nil {
				t.Fatal(err)
			}
			if d.Train.Digest() != before {
				t.Error("the clean training set was changed")
			}
			n := 0
			for i, poisoned := range truth {
				same := bytes.Equal(p.Image(i), d.Train.Image(i))
				if !poisoned {
					if !same || p.Labels[i] != d.Train.Labels[i] {
						t.Fatalf("image %d is said to be clean and was changed", i)
					}
					continue
				}
				n++
				if same {
					t.Errorf("image %d is said to be poisoned and was not changed", i)
				}
				if p.Labels[i] != 2 {
					t.Errorf("image %d has label %d, the target is 2", i, p.Labels[i])
				}
				if (d.Train.Labels[i] == 2) != m.CleanLabel {
					t.Errorf("image %d of class %d was taken", i, d.Train.Labels[i])
				}
			}
			if want := int(c.Rate*400 + 0.5); n != want {
				t.Errorf("%d images poisoned, expected %d", n, want)
			}
			again, _, err := a.Poison(d.Train)
			if err != nil || again.Digest() != p.Digest() {
				t.Error("the same seed gives other poison")
			}
			trig := a.Triggered(d.Test)
			if trig.Len() != d.Test.Len()-len(d.Test.OfClass(2)) {
				t.Errorf("%d triggered images: target-class images must be left out", trig.Len())
			}
			for _, l := range trig.Labels {
				if l != 2 {
					t.Fatal("a triggered image does not carry the target")
				}
			}
		})
	}
}

func TestTriggersAreAsDefined(t *testing.T) {
	grey := &dataset.Set{Height: 32, Width: 32, Classes: []string{"a", "b"}, Pixels: bytes.Repeat([]byte{100}, 32*32*3), Labels: []int32{1}}
	apply := func(c Config) []uint8 {
		t.Helper()
		a, err := New(context.Background(), c, grey)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]uint8, len(grey.Pixels))
		a.trigger.Apply(dst, grey.Image(0), false, nil)
		return dst
	}
	patch := apply(Defaults("badnets"))
	changed := 0
	for p := range 32 * 32 {
		y, x := p/32, p%32
		in := y >= 29 && x >= 29
		if in != (patch[3*p] != 100) {
			t.Errorf("pixel %d,%d is %d", y, x, patch[3*p])
		}
		if in {
			changed++
			if want := uint8(255 * ((y + x + 1) % 2)); patch[3*p] != want {
				t.Errorf("the checkerboard at %d,%d is %d, expected %d", y, x, patch[3*p], want)
			}
		}
	}
	if changed != 9 {
		t.Errorf("the patch has %d pixels, expected 9", changed)
	}
	wave := apply(Defaults("sig"))
	for x := range 32 {
		want := 100 + 20*math.Sin(2*math.Pi*float64(x)*6/32)
		if math.Abs(float64(wave[3*x])-want) > 0.51 || wave[3*x] != wave[(31*32+x)*3] {
			t.Errorf("column %d is %d, expected %.1f in every row", x, wave[3*x], want)
		}
	}
	blended := apply(Defaults("blend"))
	for i, v := range blended {
		if v < 80 || v > 131 { // 0.8·100 + 0.2·(0…255)
			t.Fatalf("blended value %d at %d", v, i)
		}
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	d := images()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"target":    {func(c *Config) { c.Target = 10 }, "0 to 9"},
		"rate":      {func(c *Config) { c.Rate = 1.5 }, "between 0 and 1"},
		"name":      {func(c *Config) { c.Name = "bad" }, "badnets"},
		"alpha":     {func(c *Config) { c.Name, c.Alpha = "blend", 0 }, "alpha"},
		"too much":  {func(c *Config) { c.Name, c.Rate = "sig", 0.3 }, "rate up to 0.1"},
		"big patch": {func(c *Config) { c.PatchSize = 40 }, "fit"},
	} {
		cfg := Defaults("badnets")
		c.change(&cfg)
		a, err := New(context.Background(), cfg, d.Train)
		if err == nil {
			_, _, err = a.Poison(d.Train)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected something about %q", name, err, c.want)
		}
	}
}
