package detect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// FuzzScores gives a file of scores and a list of suspects.
func FuzzScores(f *testing.F) {
	f.Add(`{"set":{"name":"a"},"detector":"d","tpr_at":[1,2,3]}`+"\n", "index,rank,isolated\n0,1,true\n2,2,false\n")
	f.Add(`{"set":{"name":"a"},"detector":"d","tpr_at":[null]}`, "rank,index,isolated\n-9223372036854775808,1,\n")
	f.Fuzz(func(t *testing.T, scores, list string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"scores.jsonl": scores, "suspects.csv": list} {
			testfile.Write(t, filepath.Join(dir, name), text)
		}
		if s, err := openStore(filepath.Join(dir, "scores.jsonl")); err == nil {
			for key, v := range s.all {
				if s.of(v.Set, key[1]) != v {
					t.Errorf("%v is not found again", key)
				}
			}
		}
		if got, flagged, err := readSuspects(filepath.Join(dir, "suspects.csv"), &dataset.Set{Labels: make([]int32, 3)}); err == nil && (len(got) != 3 || len(flagged) != 3) {
			t.Errorf("%v, %v", got, flagged)
		}
	})
}

// A last line that lacks its end alone is kept, and others can follow; what a killed program left of one goes.
func TestLastLines(t *testing.T) {
	const line = `{"set":{"name":"a"},"detector":"d","tpr_at":[1,2,3]}`
	for text, want := range map[string]string{line: line, line + "\n\n" + line: line + "\n\n" + line, line + "\n": line + "\n", line + "\n" + line[:20]: line + "\n", line[:20]: "", "": ""} {
		path := filepath.Join(t.TempDir(), "scores.jsonl")
		testfile.Write(t, path, text)
		s, err := openStore(path)
		if err != nil || (len(s.all) > 0) != (want != "") {
			t.Errorf("%q: %v", text, err)
		}
		if got, err := os.ReadFile(path); string(got) != want {
			t.Errorf("%q became %q: %v", text, got, err)
		}
	}
	path := filepath.Join(t.TempDir(), "scores.jsonl")
	testfile.Write(t, path, line+"\n"+line[:20]+"\n"+line+"\n")
	if _, err := openStore(path); err == nil || !strings.Contains(err.Error(), "scores.jsonl:2: the line is not whole") {
		t.Errorf("a line that was cut: %v", err)
	}
}
