package experiment

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

var (
	root    = ".."
	results = filepath.Join(root, "results")
)

// What stands in the documents is what the results give: unpoison experiment tables README.md docs.
func TestDocumentsHaveTheFiguresOfTheResults(t *testing.T) {
	err := documents([]string{filepath.Join(root, "README.md"), filepath.Join(root, "docs")}, func(path string) error {
		d, text, err := fill(results, path)
		if err != nil {
			return err
		}
		made := map[string][]byte{filepath.Base(path): text}
		maps.Copy(made, d.plots)
		for name, want := range made {
			file := filepath.Join(filepath.Dir(path), name)
			if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, want) {
				t.Errorf("%s differs from what unpoison experiment tables makes of the results (%v)", file, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A block is made again whatever stood in it, and all else stays; a block that can't be made names file and line.
func TestFillMakesBlocksAgain(t *testing.T) {
	folder := t.TempDir()
	table := `{"table":{"columns":["a","b"]}}
{"figures":{"b":"2","a":"1|1"},"command":"c","date":"2026-01-01"}
`
	if err := os.MkdirAll(filepath.Join(folder, "results", "s"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"results/s/t.jsonl": table,
		"good.md":           "# A\n<!-- generated: s/t -->\nold\n<!-- end -->\nB\n",
		"open.md":           "# A\n\n<!-- generated: s/t -->\n",
		"notes.txt":         "<!-- generated: s/t -->\n<!-- end -->\n",
		"no.md":             "<!-- generated: s/none -->\n<!-- end -->\n",
	} {
		testfile.Write(t, filepath.Join(folder, name), text)
	}
	good := filepath.Join(folder, "good.md")
	for range 2 {
		if err := Fill(filepath.Join(folder, "results"), good); err != nil {
			t.Fatal(err)
		}
		want := "# A\n<!-- generated: s/t -->\n| a | b |\n|---|---|\n| 1\\|1 | 2 |\n\n[How each was measured](results/s/t.jsonl)\n<!-- end -->\nB\n"
		if text, err := os.ReadFile(good); err != nil || string(text) != want {
			t.Errorf("%q, expected %q (%v)", text, want, err)
		}
	}
	for name, want := range map[string]string{"notes.txt": "notes.txt is no Markdown file", "results": "nor a folder with any", "open.md": "line 3", "no.md": "no.md:1: "} {
		if err := Fill(filepath.Join(folder, "results"), filepath.Join(folder, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", name, err, want)
		}
	}
}

// A row of the summary is of the seeds that its columns share, with their deviation.
func TestSummaryComparesTheSameSeeds(t *testing.T) {
	folder := t.TempDir()
	lines := `{"grid":{"name":"x","data":"signs","attacks":["blend"],"defenses":["none","abl"],"seeds":[0,1,2]}}` + "\n"
	for _, c := range []struct {
		cell string
		asr  int
	}{{"none.0", 90}, {"none.1", 94}, {"abl.0", 2}, {"abl.1", 4}, {"abl.2", 99}} {
		lines += fmt.Sprintf(`{"cell":"blend.%s","result":{"version":"0.2","ca":80,"asr":%d}}`+"\n", c.cell, c.asr)
	}
	testfile.Write(t, filepath.Join(folder, "paper", "x.jsonl"), lines)
	text, err := summary(folder, "x: blend")
	if want := "| 92.00 ± 2.83 / 80.00 ± 0.00 | 3.00 ± 1.41 / 80.00 ± 0.00 | "; err != nil || !strings.Contains(text, want) || !strings.Contains(text, "| 0,1 |") {
		t.Errorf("%s has no %q (%v)", text, want, err)
	}
}
