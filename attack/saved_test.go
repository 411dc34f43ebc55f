package attack

import (
	"fmt"
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
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
)

// The network that images were perturbed against is saved as a model that a victim can start from. It says what the
// attacker's says of the real classes.
func TestAttackerIsSavedAsAModel(t *testing.T) {
	d := small()
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
				return []*Node{net(gx.Input(g, "x", 1, d.Test.Height, d.Test.Width, 3)).Logits}
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

// saved makes an attack for some data, and saves it to a folder.
func saved(t *testing.T, spec string, d *dataset.Data) (dir string) {
	t.Helper()
	c, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(ctx, c, d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := a.Save(dir, d.Train.Classes); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An attack aims at classes by their names, whatever their order; at those of other names not at all.
func TestSavedAttacksKnowTheirClasses(t *testing.T) {
	d := small()
	names := d.Train.Classes
	dir := saved(t, "badnets:target=1", d)
	in := func(classes []string) *dataset.Set {
		s := d.Test.Clone()
		s.Classes = classes
		return s
	}
	backwards := slices.Clone(names)
	slices.Reverse(backwards)
	set := in(backwards)
	first := backwards[set.Labels[0]]
	opened, err := Open(dir, set, Env{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := opened.Triggered(ctx, set)
	if err != nil || got.Len() == 0 || got.Classes[got.Labels[0]] != names[1] || set.Classes[set.Labels[0]] != first {
		t.Errorf("aims at %v of %q, %v", got.Labels, got.Classes, err)
	}
	others, numbered := slices.Clone(names), make([]string, len(names))
	others[0] = "other"
	for k := range numbered {
		numbered[k] = fmt.Sprint(k)
	}
	for _, classes := range [][]string{others, append(slices.Clone(names), "other")} {
		if _, err := Open(dir, in(classes), Env{}); err == nil || !strings.Contains(err.Error(), `the images have others: "other"`) {
			t.Errorf("%q: %v", classes, err)
		}
	}
	if _, err := Open(dir, in(numbered), Env{}); err != nil {
		t.Error(err)
	}
}

func TestDamagedAttackFolders(t *testing.T) {
	d := small()
	a, err := New(ctx, quick(t, "trojan"), d.Train, Env{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := a.Save(dir, d.Train.Classes); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, images().Test, Env{}); err == nil || !strings.Contains(err.Error(), "--size 16") {
		t.Errorf("images of another size: %v", err)
	}
	for _, name := range []string{tensorsFile, configFile} {
		path := filepath.Join(dir, name)
		raw := testfile.Read(t, path)
		testfile.Write(t, path, raw[:len(raw)/2])
		if _, err := Open(dir, d.Test, Env{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s cut off: %v", name, err)
		}
	}
}

// The picture that was planted is the one that is applied, or none is.
func TestSavedAttacksKnowTheirPicture(t *testing.T) {
	d := small()
	for _, name := range []string{"custom", "blend", "adaptive-blend"} {
		path := picture(t, 8)
		dir := saved(t, name+":image="+path, d)
		if _, err := Open(dir, d.Test.Clone(), Env{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		other := testfile.Read(t, picture(t, 16))
		testfile.Write(t, path, other)
		if _, err := Open(dir, d.Test.Clone(), Env{}); err == nil || !strings.Contains(err.Error(), "another one now") {
			t.Errorf("%s with another picture: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, d.Test.Clone(), Env{}); err == nil {
			t.Errorf("%s without its picture opens", name)
		}
	}
}

// What is learnt from pictures is learnt again where they are others.
func TestLearntFromOtherPictures(t *testing.T) {
	d := small()
	path := picture(t, 8)
	c, err := Parse("refool:pictures=" + filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	plant := func() *dataset.Set {
		a, err := New(ctx, c, d.Train, Env{Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := a.Poison(ctx, d.Train)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := plant()
	if again := plant(); again.Digest() != before.Digest() {
		t.Error("the same pictures plant other images")
	}
	other := testfile.Read(t, picture(t, 16))
	testfile.Write(t, path, other)
	if after := plant(); after.Digest() == before.Digest() {
		t.Error("another picture plants the same images")
	}
}
