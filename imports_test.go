package unpoison

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// module is this module's path.
const module = "github.com/unpoison/unpoison"

// floors are the house from its roof to its cellar; see docs/architecture.md. A package imports packages of lower floors only,
// and what lies below its own folder. Packages of one floor don't import each other.
var floors = [][]string{
	{"cmd", "internal/release"},
	{"internal/app/cli"},
	{"experiment"},
	{"internal/app"},
	{"spike"},
	{"detect", "."},
	{"audit"},
	{"audit/look/"}, // each look; a path with a slash at its end means the folders below it
	{"audit/look"},
	{"abl", "repair"},
	{"attack"},
	{"isolate", "audit/stat"},
	{"train"},
	{"evaluate", "checkpoint"},
	{"dataset/signs"},
	{"report", "augment", "model"},
	{"dataset"},
	{"rng"},
	{"internal/base/engines"},
	{"backend/cpu"},
	{"internal/base"},
}

// never are imports that the order of the floors would allow.
var never = []struct{ from, to, why string }{
	{"attack", "isolate", "attackers use nothing of the defender"},
	{"attack", "audit", "attackers use nothing of the defender"},
	{"audit", "attack", "the defender knows no attack"},
	{"audit", "abl", "no defence imports another"},
	{"abl", "attack", "the defender knows no attack"},
	{"repair", "attack", "the defender knows no attack"},
	{"audit", "repair", "no defence imports another"},
	{"model", "backend", "a network names no engine"},
}

// under tells whether a package lies at a place of the house: the folder or one below it.
func under(pkg, place string) bool {
	if below, ok := strings.CutSuffix(place, "/"); ok {
		return strings.HasPrefix(pkg, below+"/")
	}
	return pkg == place || place != "." && strings.HasPrefix(pkg, place+"/")
}

// floor returns the number of a package's floor, counted from the roof, and the place on it that names the package best.
func floor(pkg string) (level int, place string) {
	level = -1
	for k, places := range floors {
		for _, p := range places {
			if under(pkg, p) && len(p) > len(place) {
				level, place = k, p
			}
		}
	}
	return level, place
}

// TestImportsGoDown reads every file of the module, tests aside.
func TestImportsGoDown(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && file != "." {
			_, missing := os.Stat(filepath.Join(file, "go.mod"))
			if missing == nil || strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" || file == filepath.Join("internal", "testkit") {
				return filepath.SkipDir // modules of their own, and what only tests import
			}
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			to, _ := strconv.Unquote(i.Path.Value)
			if rest, ok := strings.CutPrefix(to+"/", module+"/"); ok {
				checkImport(t, file, path.Dir(filepath.ToSlash(file)), path.Clean(rest))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImport(t *testing.T, file, from, to string) {
	t.Helper()
	for _, n := range never {
		if under(from, n.from) && under(to, n.to) {
			t.Errorf("%s imports %s: %s", file, to, n.why)
		}
	}
	a, placeA := floor(from)
	b, placeB := floor(to)
	switch {
	case a < 0 || b < 0:
		t.Errorf("%s imports %s: one of them has no floor in this test's table", file, to)
	case a == b && placeA == placeB && strings.HasSuffix(placeA, "/"):
		t.Errorf("%s imports %s: no look imports another", file, to)
	case a > b, a == b && placeA != placeB:
		t.Errorf("%s imports %s: imports go down only", file, to)
	}
}

// What many machines need lies in a module of its own: who builds or tests this one downloads none of it.
func TestTheCoreNeedsNoServer(t *testing.T) {
	for _, file := range []string{"go.mod", "go.sum"} {
		text := testfile.Read(t, file)
		for _, other := range []string{"go.temporal.io/", "gocloud.dev"} {
			if strings.Contains(string(text), other) {
				t.Errorf("%s names %s", file, other)
			}
		}
	}
}
