package attack

import (
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Attackers use nothing of the defender: what both need stands below both.
func TestAttackersUseNothingOfTheDefender(t *testing.T) {
	const module = "github.com/unpoison/unpoison/"
	below := []string{
		"augment", "backend/cpu", "checkpoint", "dataset", "internal/base/atomicfile", "internal/base/gx", "internal/base/settings",
		"internal/base/version", "model", "rng", "train",
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if own, ok := strings.CutPrefix(path, module); ok && !slices.Contains(below, own) {
				t.Errorf("%s imports %s", e.Name(), own)
			}
		}
	}
}
