package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

func TestTablesAreMadeInTheirPlaces(t *testing.T) {
	folder := t.TempDir()
	page, table := filepath.Join(folder, "page.md"), filepath.Join(folder, "results", "set", "one.jsonl")
	if err := os.MkdirAll(filepath.Dir(table), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		page:  "<!-- generated: set/one -->\n<!-- end -->\n",
		table: `{"table":{"columns":["a"]}}` + "\n" + `{"figures":{"a":"17"},"command":"c","date":"d"}` + "\n",
	} {
		testfile.Write(t, path, text)
	}
	if code, _, errs := call("experiment", "tables", folder, "--results", filepath.Join(folder, "results")); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "| 17 |") {
		t.Errorf("%s (%v)", text, err)
	}
	if code, _, errs := call("experiment", "tables"); code != 2 || !strings.Contains(errs, "Markdown files") {
		t.Errorf("without a file: exit %d: %s", code, errs)
	}
	if code, _, errs := call("experiment", "tables", page, "--results", "nowhere"); code != 1 || !strings.Contains(errs, page+":1") {
		t.Errorf("without results: exit %d: %s", code, errs)
	}
}
