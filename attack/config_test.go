package attack

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/rng"
)

func TestWrongSettingsAreRefused(t *testing.T) {
	d := images()
	for spec, want := range map[string]string{
		"nope": "badnets", "badnets:target=10": "0 to 9", "badnets:rate=1.5": "expected more than 0 and less than 1",
		"blend:alpha": "key=value", "blend:alhpa=1": "key=value", "blend:alpha=x": "does not take", "blend:alpha=0": "alpha 0",
		"blend:delta=3": "with one of rate, target, seed, all_to_all, cover, targets, random_labels, alpha, image", // another attack's
		"sig:rate=0.3":  "rate up to 0.1", "sig:frequency=16": "changes no pixel", "badnets:patch_size=40": "fit", "badnets:patch_size=0": "patch_size 0",
		"cba:class_a=4,class_b=4": "three different", "cba:class_b=10": "0 to 9", "cba:mix=odd": "half and blend",
		"trojan:mask=star": "watermark", "trojan:mask=watermark,alpha=2": "alpha 2", "cl:epsilon=0": "epsilon 0", "cl:steps=0": "steps 0",
		"custom": "custom:image=FILE.png", "sig:all_to_all=true": "keeps labels", "dfst:style=nowhere": "sunset or a folder",
		"fc:place=odd": "image and patch", "fc:attacker=odd": "aware and clean", "dynamic:epochs=-1": "epochs -1",
		"sig:delta_test=0.3": "no pixel of test images", "adaptive-blend:alpha_test=0.0001,rate=0.05": "no pixel of test images",
		"adaptive-patch:opacity_test=0.0001,rate=0.05": "no pixel of test images",
		"cl:cover=0.1": "covering", "fc:cover=0.1": "covering", "blend:cover=1": "cover 1", "trojan:cover=-1": "cover -1",
	} {
		c, err := Parse(spec)
		if err == nil {
			if own := c.Surrogate(); own != nil && own.Epochs > 0 {
				own.Network, own.Epochs = "small-cnn", 0
			}
			var a *Attack
			if a, err = New(ctx, c, d.Train, Env{}); err == nil {
				_, _, err = a.Poison(ctx, d.Train)
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, expected something about %q", spec, err, want)
		}
	}
}

// A picture that hides all of the image is no trigger; laid over faintly it is.
func TestOpaquePicturesAreRefused(t *testing.T) {
	set := images().Train
	for alpha, refused := range map[int]bool{255: true, 254: false} {
		path := filepath.Join(t.TempDir(), "picture.png")
		p := image.NewNRGBA(image.Rect(0, 0, 40, 40))
		for i := range p.Pix {
			p.Pix[i] = uint8(alpha)
		}
		var raw bytes.Buffer
		if err := errors.Join(png.Encode(&raw, p), os.WriteFile(path, raw.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		for _, faint := range []bool{false, true} {
			spec := "custom:image=" + path
			if faint {
				spec += ",alpha=0.2"
			}
			c, err := Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := New(ctx, c, set, Env{}); (err != nil) != (refused && !faint) || err != nil && !strings.Contains(err.Error(), "alpha=0.2") {
				t.Errorf("%s, opacity %d: %v", spec, alpha, err)
			}
		}
	}
}

func TestParse(t *testing.T) {
	c, err := Parse("trojan:mask=watermark,alpha=0.5,patch-size=6,target=2")
	if err != nil {
		t.Fatal(err)
	}
	own := c.Own.(*Trojan)
	if own.Mask != "watermark" || own.Alpha != 0.5 || own.PatchSize != 6 || c.Target != 2 || own.Steps != 200 {
		t.Errorf("parsed %+v", c)
	}
}

// What a run's folder says of an attack is read back as it was, and is one flat object.
// The text of an attack makes the same one, and says no more than is not usual.
func TestSpec(t *testing.T) {
	for given, want := range map[string]string{
		"badnets": "badnets", "badnets:rate=0.1": "badnets", "badnets:patch-size=5,target=7,seed=3": "badnets:target=7,seed=3,patch_size=5",
		"wanet:cover=0": "wanet:cover=0", "wanet:rate=0.05": "wanet:rate=0.05", "wanet:rate=0.05,cover=0.2": "wanet:rate=0.05,cover=0.2",
		"tact:source=0,target=1": "tact:target=1,source=0", "bpp:dither=false": "bpp:dither=false", "cba:class_a=0,target=3": "cba:target=3,class_a=0",
		"blend:image=a b.png,random_labels=true": "blend:random_labels=true,image=a b.png", "trojan:steps=0,epochs=2,mask=watermark": "trojan:mask=watermark,steps=0,epochs=2",
	} {
		c, err := Parse(given)
		if err != nil {
			t.Fatal(err)
		}
		got := c.Spec()
		again, err := Parse(got)
		if got != want || err != nil || !reflect.DeepEqual(again.Common, c.Common) || !reflect.DeepEqual(again.Own, c.Own) {
			t.Errorf("%s becomes %s, expected %s: %+v (%v)", given, got, want, again, err)
		}
	}
	if got := (Config{Method: Method{Name: "x"}}).Spec(); got != "x" {
		t.Errorf("without settings: %q", got)
	}
	for _, m := range Builtin() {
		if got := m.Defaults().Spec(); got != m.Name {
			t.Errorf("the defaults of %s are %s", m.Name, got)
		}
	}
}

func TestConfigAsJSON(t *testing.T) {
	for _, m := range Builtin() {
		c := m.Defaults()
		c.Seed, c.Target = 7, 2
		raw, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Config
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		if back.Method.Name != m.Name || back.Common != c.Common || !reflect.DeepEqual(back.Own, c.Own) {
			t.Errorf("%s came back as %+v, was %+v", raw, back, c)
		}
	}
	raw, err := json.Marshal(Defaults("fc"))
	const want = `{"name":"fc","rate":0.08,"target":0,"seed":0,"patch_size":8,"epsilon":16,"steps":60,"attacker":"aware","place":"image","network":"wrn-16-1","epochs":10}`
	if err != nil || string(raw) != want { // the digests of what is cached are of these bytes
		t.Errorf("%s, expected %s", raw, want)
	}
	if raw, err := json.Marshal(Config{}); err != nil || json.Unmarshal(raw, &Config{}) != nil {
		t.Errorf("no attack is %s: %v", raw, err)
	}
	if err := json.Unmarshal([]byte(`{"name":"nope"}`), &Config{}); err == nil || !strings.Contains(err.Error(), "badnets") {
		t.Errorf("an unknown attack: %v", err)
	}
}

// Attacks that are planted together don't share a trigger that is drawn; others keep the seed.
func TestAttacksApart(t *testing.T) {
	var all []Config
	for _, spec := range []string{"blend", "badnets", "adaptive-blend", "blend:seed=7"} {
		c, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		if !Gives(spec, "seed") {
			c.Seed = 3
		}
		all = append(all, c)
	}
	if err := Apart(all); err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for _, c := range all {
		got = append(got, c.Seed)
	}
	if want := []uint64{3, 3, 3 + 2<<32, 7}; !slices.Equal(got, want) {
		t.Errorf("seeds %v, expected %v", got, want)
	}
	if Gives("blend:pattern_seed=1", "seed") || !Gives("blend:alpha=0.1, seed=1", "seed") || Gives("blend", "seed") {
		t.Error("a setting is taken for another")
	}
}

// Nor are attacks of other names or settings that put the same on test images.
func TestSameTriggersOnTestImagesAreRefused(t *testing.T) {
	d := images()
	for specs, same := range map[string]bool{
		"badnets:patch_size=6 tact:rate=0.05,cover=0": true, "sig:rate=0.03 sig:target=1,rate=0.03,delta=10": true,
		"badnets tact:rate=0.05,cover=0": false, "sig:rate=0.03 sig:target=1,rate=0.03,delta_test=60": false, "blend:rate=0.05 adaptive-blend:rate=0.05,seed=1": false,
		"tact:source=2,rate=0.05,cover=0 tact:source=3,target=1,rate=0.05,cover=0": false, "cba:rate=0.05,cover=0 badnets": false,
	} {
		all := parsed(t, specs)
		if err := Apart(all); err != nil {
			t.Fatalf("%s: %v", specs, err)
		}
		planted := 0
		err := Plant(ctx, all, d.Train.Clone(), nil, Env{}, func(int, *Attack, *Truth) { planted++ })
		if (err != nil) != same || same && (planted != 1 || !strings.Contains(err.Error(), "the same trigger")) {
			t.Errorf("%s: %d planted, %v", specs, planted, err)
		}
	}
}

// Attacks whose trigger no seed changes are not planted together with themselves; and the methods say rightly which these are.
func TestSameTriggersAreRefused(t *testing.T) {
	for specs, same := range map[string]bool{
		"badnets badnets:target=1": true, "sig:seed=1 sig:target=1,rate=0.02": true, "blend:image=a blend:image=a,target=1": true,
		"badnets badnets:patch_size=5,target=1": false, "tact:source=2 tact:source=3,target=1": false, "blend blend:target=1": false,
	} {
		all := parsed(t, specs)
		if err := Apart(all); (err != nil) != same || same && !strings.Contains(err.Error(), "same trigger") {
			t.Errorf("%s: %v", specs, err)
		}
	}
	d := images()
	for _, m := range Builtin() {
		if _, learns := quick(t, m.Name).Own.(interface{ surrogate() *Surrogate }); learns && !m.Fixed || m.Name == "cba" {
			continue // they learn, which takes long, or mix images by chance
		}
		var got [2][]uint8
		for seed := range got {
			c := quick(t, m.Name)
			c.Seed = uint64(seed)
			a, err := open(c, d.Train, Env{})
			if err != nil {
				t.Fatal(err)
			}
			if _, learns := a.trigger.(Learner); learns && !m.Fixed {
				continue
			}
			s := d.Test.Clone()
			if err := a.trigger.Apply(ctx, &Batch{Set: s, At: rng.Iota(s.Len()), Test: true, Stream: a.stream("test")}); err != nil {
				t.Fatal(err)
			}
			got[seed] = s.Pixels
		}
		if got[0] != nil && slices.Equal(got[0], got[1]) != m.Fixed {
			t.Errorf("%s: fixed %v, and the trigger says otherwise", m.Name, m.Fixed)
		}
	}
}

// parsed are attacks of a list with spaces between them.
func parsed(t *testing.T, specs string) (all []Config) {
	t.Helper()
	for _, spec := range strings.Fields(specs) {
		c, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}
