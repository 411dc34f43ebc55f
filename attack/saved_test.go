package attack

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/internal/base/gx"
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
