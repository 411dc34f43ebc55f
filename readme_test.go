package unpoison_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program in README.md can be pasted and compiles.
func TestReadmeProgramCompiles(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(text), "```go\n")
	program, _, ends := strings.Cut(program, "```")
	if !found || !ends {
		t.Fatal("README.md has no Go program")
	}
	path := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(path, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "vet", path).CombinedOutput(); err != nil { // it type-checks, and links nothing
		t.Errorf("%v\n%s", err, out)
	}
}
