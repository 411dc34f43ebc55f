package unpoison_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// The program in README.md can be pasted and compiles.
func TestReadmeProgramCompiles(t *testing.T) {
	text := testfile.Read(t, "README.md")
	_, program, found := strings.Cut(string(text), "```go\n")
	program, _, ends := strings.Cut(program, "```")
	if !found || !ends {
		t.Fatal("README.md has no Go program")
	}
	path := filepath.Join(t.TempDir(), "main.go")
	testfile.Write(t, path, program)
	if out, err := exec.Command("go", "vet", path).CombinedOutput(); err != nil { // it type-checks, and links nothing
		t.Errorf("%v\n%s", err, out)
	}
}
