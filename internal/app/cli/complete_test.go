package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/model"
)

// What the shell completes is what the commands take.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		line, want string // the values, or the directive's number alone
	}{
		{"train --defense", "auto abl none :4"},
		{"train --model", strings.Join(model.Names(), " ") + " :4"},
		{"train --engine", "cpu xla :4"},
		{"train --seed", ":4"},
		{"train --out", ":16"}, // folders
		{"train --data", ":0"}, // and files, as of Parquet
		{"repair --clean", ":0"},
		{"experiment paper cifar10 --gtsrb", ":0"},
		{"eval --model", ":0"}, // files
		{"repair --method", "fp mcr nad :4"},
		{"audit --fail-on", "poisoned shortcut any :4"},
		{"experiment auto photos --cell", "badnets.auto.0 badnets.before.0 blend.auto.0 blend.before.0 none.auto.0 none.none.0 :4"},
		{"experiment auto --cell", ":4"},
		{"experiment run missing.yaml --cell", ":4"},
	} {
		code, out, errs := call(append([]string{"__complete"}, append(strings.Fields(c.line), "")...)...)
		if got := strings.Join(strings.Fields(out), " "); code != exitDone || got != c.want {
			t.Errorf("%s: %q, expected %q; %d, %s", c.line, got, c.want, code, errs)
		}
	}
}

// Each value that the shell offers is one that the command takes, and no other.
func TestChoicesAreTaken(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	lines := map[string][]string{
		"scale":    {"experiment", "paper", "cifar10", "--data", missing},
		"mode":     {"unlearn", "--model", missing, "--suspects", missing, "--data", missing},
		"unlearn":  {"unlearn", "--model", missing, "--suspects", missing, "--data", missing},
		"repair":   {"repair", "--model", missing, "--clean", missing},
		"loss":     {"train", "--defense", "abl", "--data", missing},
		"lga-sign": {"train", "--defense", "abl", "--data", missing},
		"rank-by":  {"train", "--defense", "abl", "--data", missing},
	}
	lines["fail-on"] = []string{"audit", "--data", missing}
	for _, name := range []string{"pool", "normalize"} {
		lines[name] = []string{"features", "--backbone", missing, "--data", missing}
	}
	for name, values := range choices {
		words := strings.Fields(name)
		line := lines[words[0]]
		if name == "unlearn" { // train's flag, not the command
			line = lines["loss"]
		}
		if line == nil {
			line = []string{"train", "--data", missing}
		}
		for _, v := range append([]string{"nope"}, values...) {
			args := append(append([]string{}, line...), "--out", filepath.Join(t.TempDir(), "out.npy"), "--"+words[len(words)-1], v)
			if v == "ft-pretrained" {
				args = append(args, "--pretrained", missing)
			}
			want := exitFailed
			if v == "nope" {
				want = exitUsage
			}
			if code, _, errs := call(args...); code != want {
				t.Errorf("%v: %d, expected %d: %s", args, code, want, errs)
			}
		}
	}
}
