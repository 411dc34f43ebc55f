package attack

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

var ctx = context.Background()

func images() *dataset.Data { return signs.Render(3, 400, 100) }

// quick makes an attack's training and optimisation short and its network small.
func quick(t *testing.T, name string) Config {
	t.Helper()
	c := Defaults(name)
	c.Target = 3
	if c.Network != "" {
		c.Network, c.Epochs = "small-cnn", 1
	}
	c.Steps = min(c.Steps, 3)
	if name == "dynamic" { // a mask that has learnt nothing yet may hide a whole pattern
		c.Steps = 20
	}
	if name == "custom" {
		c.Image = picture(t, 8)
	}
	return c
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
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPoisonKeepsItsPromises(t *testing.T) {
	d := images()
	for _, m := range Methods {
		t.Run(m.Name, func(t *testing.T) {
			c := quick(t, m.Name)
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
			n, covered := 0, 0
			for i, poisoned := range truth.Poisoned {
				same := bytes.Equal(p.Image(i), d.Train.Image(i))
				if truth.Covered[i] {
					covered++
				}
				if !poisoned {
					if p.Labels[i] != d.Train.Labels[i] {
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
				if (d.Train.Labels[i] == 3) != m.CleanLabel {
					t.Errorf("image %d of class %d was taken", i, d.Train.Labels[i])
				}
			}
			if want := int(c.Rate*400 + 0.5); n != want {
				t.Errorf("%d images poisoned, expected %d", n, want)
			}
			if want := int(c.Cover*400 + 0.5); covered != want && m.Name != "dfst" { // whose detoxification may find nothing
				t.Errorf("%d images cover, expected %d", covered, want)
			}
			trig, err := a.Triggered(ctx, d.Test)
			if err != nil {
				t.Fatal(err)
			}
			if _, composes := a.trigger.(Composer); !composes && trig.Len() != d.Test.Len()-len(d.Test.OfClass(3)) {
				t.Errorf("%d triggered images: target-class images must be left out", trig.Len())
			}
			for _, l := range trig.Labels {
				if l != 3 {
					t.Fatal("a triggered image does not carry the target")
				}
			}
			marked, err := a.Marked(ctx, d.Test)
			if _, composes := a.trigger.(Composer); composes != errors.Is(err, ErrSeveralClasses) {
				t.Errorf("marked images: %v", err)
			} else if !composes && (err != nil || !slices.Equal(marked.Labels, d.Test.Labels) || bytes.Equal(marked.Pixels, d.Test.Pixels)) {
				t.Error("marked images have other labels or no trigger")
			}

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
			if again, err := opened.Triggered(ctx, d.Test); err != nil || again.Digest() != trig.Digest() {
				t.Errorf("the saved attack gives other triggered images: %v", err)
			}
		})
	}
}

func TestTriggersAreAsDefined(t *testing.T) {
	grey := &dataset.Set{Height: 32, Width: 32, Classes: []string{"a", "b"}, Pixels: bytes.Repeat([]byte{100}, 32*32*3), Labels: []int32{1}}
	apply := func(c Config) []uint8 {
		t.Helper()
		a, err := New(ctx, c, grey, Env{})
		if err != nil {
			t.Fatal(err)
		}
		s := grey.Clone()
		if err := a.trigger.Apply(ctx, &Batch{Set: s, At: []int{0}, Stream: a.stream("test")}); err != nil {
			t.Fatal(err)
		}
		return s.Pixels
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
	c := Defaults("custom")
	c.Image = picture(t, 32)
	if own := apply(c); own[0] != 178 || own[1] != 50 || own[3*31] != 100 { // 100 + 128/255·(255−100), 100·127/255
		t.Errorf("a half transparent picture gives %v and %v", own[:3], own[3*31:3*31+3])
	}
}

// Optimised perturbations stay within ±ε of the original but for the patch, and reach their goal
// better than where they started.
func TestPerturbationsStayWithinEpsilon(t *testing.T) {
	d := images()
	for _, k := range []struct{ name, place string }{{"cl", ""}, {"fc", "image"}, {"fc", "patch"}} {
		name := k.name
		c := quick(t, name)
		c.Steps, c.Place = 8, k.place
		a, err := New(ctx, c, d.Train, Env{})
		if err != nil {
			t.Fatal(err)
		}
		p, truth, err := a.Poison(ctx, d.Train)
		if err != nil {
			t.Fatal(err)
		}
		moved := 0.0
		for i, poisoned := range truth.Poisoned {
			if !poisoned {
				continue
			}
			for k, v := range p.Image(i) {
				y, x := k/3/32, k/3%32
				if name == "cl" && (y < 3 || y >= 29) && (x < 3 || x >= 29) {
					continue
				}
				diff := math.Abs(float64(v) - float64(d.Train.Image(i)[k]))
				if c.Place == "patch" && (y < 24 || x < 24) && diff > 0 {
					t.Fatalf("pixel %d of image %d moved, outside the patch's place", k, i)
				}
				moved += diff
				if diff > c.Epsilon+0.5 {
					t.Fatalf("%s: pixel %d of image %d moved by %g, epsilon is %g", name, k, i, diff, c.Epsilon)
				}
			}
		}
		if moved == 0 {
			t.Errorf("%s: nothing moved", name)
		}
	}
}

func TestAllToAllSendsClassesOn(t *testing.T) {
	d := images()
	c := Defaults("badnets")
	c.AllToAll = true
	a, err := New(ctx, c, d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	p, truth, err := a.Poison(ctx, d.Train)
	if err != nil {
		t.Fatal(err)
	}
	for i, poisoned := range truth.Poisoned {
		if want := (d.Train.Labels[i] + 1) % 10; poisoned && p.Labels[i] != want {
			t.Errorf("an image of class %d became %d, expected %d", d.Train.Labels[i], p.Labels[i], want)
		}
	}
	trig, err := a.Triggered(ctx, d.Test)
	if err != nil || trig.Len() != d.Test.Len() {
		t.Errorf("%d triggered images of %d: %v", trig.Len(), d.Test.Len(), err)
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

func TestWrongSettingsAreRefused(t *testing.T) {
	d := images()
	for name, c := range map[string]struct {
		attack string
		change func(*Config)
		want   string
	}{
		"target":      {"badnets", func(c *Config) { c.Target = 10 }, "0 to 9"},
		"rate":        {"badnets", func(c *Config) { c.Rate = 1.5 }, "expected more than 0 and less than 1"},
		"name":        {"badnets", func(c *Config) { c.Name = "bad" }, "badnets"},
		"alpha":       {"blend", func(c *Config) { c.Alpha = 0 }, "alpha"},
		"too much":    {"sig", func(c *Config) { c.Rate = 0.3 }, "rate up to 0.1"},
		"big patch":   {"badnets", func(c *Config) { c.PatchSize = 40 }, "fit"},
		"A = B":       {"cba", func(c *Config) { c.ClassA, c.ClassB = 4, 4 }, "three different"},
		"mask":        {"trojan", func(c *Config) { c.Mask = "star" }, "watermark"},
		"epsilon":     {"cl", func(c *Config) { c.Epsilon = 0 }, "epsilon"},
		"no picture":  {"custom", func(*Config) {}, "custom:image=FILE.png"},
		"all-to-all":  {"sig", func(c *Config) { c.AllToAll = true }, "keeps labels"},
		"no style":    {"dfst", func(c *Config) { c.Style = "nowhere" }, "sunset or a folder"},
		"no place":    {"fc", func(c *Config) { c.Place = "odd" }, "image and patch"},
		"trained -1":  {"dynamic", func(c *Config) { c.Epochs = -1 }, "epochs -1"},
		"no attacker": {"fc", func(c *Config) { c.Attacker = "odd" }, "aware and clean"},
	} {
		cfg := Defaults(c.attack)
		if cfg.Network != "" {
			cfg.Network, cfg.Epochs = "small-cnn", 1
		}
		c.change(&cfg)
		a, err := New(ctx, cfg, d.Train, Env{})
		if err == nil {
			_, _, err = a.Poison(ctx, d.Train)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected something about %q", name, err, c.want)
		}
	}
	for spec, want := range map[string]string{
		"nope": "badnets", "blend:alpha": "key=value", "blend:alhpa=1": "key=value", "blend:alpha=x": "does not take",
	} {
		if _, err := Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, expected something about %q", spec, err, want)
		}
	}
	c, err := Parse("trojan:mask=watermark,alpha=0.5,patch-size=6,target=2")
	if err != nil || c.Mask != "watermark" || c.Alpha != 0.5 || c.PatchSize != 6 || c.Target != 2 || c.Steps != 200 {
		t.Errorf("parsed %+v: %v", c, err)
	}
}

// The network that images were perturbed against is saved as a model that a victim can start from. It says what the
// attacker's says of the real classes.
func TestAttackerIsSavedAsAModel(t *testing.T) {
	d := images()
	for _, name := range []string{"cl", "fc"} {
		a, err := New(ctx, quick(t, name), d.Train, Env{})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := a.Save(dir, d.Train.Classes); err != nil {
			t.Fatal(err)
		}
		n, state, info, err := checkpoint.Load(filepath.Join(dir, attackerFile))
		if err != nil {
			t.Fatal(err)
		}
		if n.Arch != "small-cnn" || !slices.Equal(info.Classes, d.Train.Classes) {
			t.Errorf("%s: a %s of %v came back", name, n.Arch, info.Classes)
		}
		var own *attacker
		switch f := a.trigger.(type) {
		case *corners:
			own = &f.attacker
		case *collision:
			own = &f.attacker
		}
		logits := func(n *model.Network, s model.State) []float32 {
			f, err := a.lab.frozen("logits", n, s, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
				return []*Node{net(gx.Input(g, "x", 1, 32, 32, 3)).Logits}
			})
			if err != nil {
				t.Fatal(err)
			}
			x, out := make([]float32, d.Test.ImageBytes()), make([]float32, n.Classes)
			augment.Plain(x, d.Test.Image(0))
			if err := f.Call(len(s), x); err != nil {
				t.Fatal(err)
			}
			if err := f.Get(0, out); err != nil {
				t.Fatal(err)
			}
			return out
		}
		got, want := logits(n, state), logits(own.net, own.state)
		for c := range got {
			if math.Abs(float64(got[c]-want[c])) > 1e-5 {
				t.Errorf("%s: class %d has the logit %g, the attacker's %g", name, c, got[c], want[c])
			}
		}
	}
}

func TestDamagedAttackFolders(t *testing.T) {
	d := images()
	a, err := New(ctx, quick(t, "trojan"), d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := a.Save(dir, d.Train.Classes); err != nil {
		t.Fatal(err)
	}
	big := signs.Render(0, 20, 20).Test
	big.Height = 16
	if _, err := Open(dir, big, Env{}); err == nil || !strings.Contains(err.Error(), "--size 32") {
		t.Errorf("images of another size: %v", err)
	}
	for _, name := range []string{tensorsFile, configFile} {
		path := filepath.Join(dir, name)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw[:len(raw)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, d.Test, Env{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s cut off: %v", name, err)
		}
	}
}

func TestVisibility(t *testing.T) {
	d := images()
	if v := Visible(d.Test, d.Test); math.Abs(v.PSNR-99) > 1e-9 || math.Abs(v.SSIM-1) > 1e-9 || v.Linf != 0 {
		t.Errorf("equal images: %+v", v)
	}
	grey := &dataset.Set{Height: 32, Width: 32, Pixels: bytes.Repeat([]byte{100}, 32*32*3), Labels: []int32{0}}
	other := grey.Clone()
	for i := range other.Pixels {
		other.Pixels[i] += 10
	}
	if v := Visible(grey, other); math.Abs(v.PSNR-28.1308) > 1e-3 || v.Linf != 10 { // 20·log10(255/10)
		t.Errorf("ten levels apart: %+v", v)
	}
}

// A regularised attack lays its trigger over images that keep their labels, none of them of the target class.
func TestTheTriggerItselfCovers(t *testing.T) {
	d := images()
	for _, name := range []string{"badnets", "sig"} {
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
	for name, cover := range map[string]float64{"cl": 0.1, "fc": 0.1, "blend": 1, "trojan": -1} {
		c := quick(t, name)
		c.Cover = cover
		if _, err := New(ctx, c, d.Train, Env{}); err == nil {
			t.Errorf("%s with a covering share of %g was taken", name, cover)
		}
	}
}
