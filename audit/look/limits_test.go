package look_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
)

var update = flag.Bool("update", false, "write docs/limits.md")

const limitsHead = `# The numbers that decide

Generated from audit/look/limits.csv by ` + "`go generate ./audit/look`" + `. Each number serves one rule of one look. *Honest* is the
value of clean data that comes closest to the number, *planted* that of planted images; empty where it was not measured.
[What was measured](measured/limits.md) says what led to them.

| look | number | value | it is | honest | planted | set on |
|---|---|---|---|---|---|---|
`

// docs/limits.md is what the table says.
func TestLimitsAreDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString(limitsHead)
	for _, l := range look.Limits() {
		fmt.Fprintf(&b, "| %s | %s | %g | %s | %s | %s | %s |\n", l.Look, l.Name, l.Value, l.Rule, l.Honest, l.Planted, l.SetOn)
	}
	path := filepath.Join("..", "..", "docs", "limits.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != b.String() {
		t.Errorf("%s is not what limits.csv says (%v): go generate ./audit/look", path, err)
	}
}

// Every number serves one rule, in the code of one look.
func TestEachLimitIsReadOnce(t *testing.T) {
	var code strings.Builder
	for _, pattern := range []string{"*.go", filepath.Join("*", "*.go")} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f, "_test.go") {
				raw, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				code.Write(raw)
			}
		}
	}
	for _, l := range look.Limits() {
		if n := strings.Count(code.String(), fmt.Sprintf("Limit(%q, %q)", l.Look, l.Name)); n != 1 {
			t.Errorf("%s, %s is read %d times", l.Look, l.Name, n)
		}
	}
}
