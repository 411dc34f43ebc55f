package dataset

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Paths that lead out of the data and back are relative in what is written, which lies in a folder of another name.
func TestPathsOutOfTheDataAndBackAreWritten(t *testing.T) {
	for name, c := range map[string]struct{ table, text, want string }{
		"CSV":             {"t.csv", "file,label\n../data/i/a.png,x\n../data/i/b.png,y\n../data/i/c.png,x\n", "file,label\ni/b.png,y\ni/c.png,x\n"},
		"some":            {"t.csv", "file,label\ni/a.png,x\ni/b.png,y\n../data/i/c.png,x\n", "file,label\ni/b.png,y\ni/c.png,x\n"},
		"from Windows":    {"t.csv", "file,label\n..\\data\\i\\a.png,x\n..\\data\\i\\b.png,y\n..\\data\\i\\c.png,x\n", "file,label\ni/b.png,y\ni/c.png,x\n"},
		"JSON":            {"t.jsonl", `{"file":"../data/i/a.png","label":"x"}` + "\n" + `{"file":"../data/i/b.png","label":"y"}` + "\n" + `{"file":"../data/i/c.png","label":"x"}` + "\n", `{"file":"i/b.png","label":"y"}` + "\n" + `{"file":"i/c.png","label":"x"}` + "\n"},
		"of a folder":     {"data/t.csv", "file,label\n../../data/i/a.png,x\n../i/b.png,y\n../../data/i/c.png,x\n", "file,label\n../i/b.png,y\n../i/c.png,x\n"},
		"without leaving": {"data/t.csv", "file,label\n../i/a.png,x\n../i/b.png,y\n../i/c.png,x\n", "file,label\n../i/b.png,y\n../i/c.png,x\n"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		files(t, dir, "i/a.png=1", "i/b.png=2", "i/c.png=3", c.table+"="+c.text)
		for _, spec := range []string{dir, "table:" + filepath.Join(dir, c.table)} {
			if spec != dir && strings.Contains(c.table, "/") {
				continue // what lies beside its folder is out of the data
			}
			out := filepath.Join(t.TempDir(), "out")
			d, err := Load(t.Context(), spec, Options{})
			if err == nil {
				_, err = Correct(t.Context(), d, Options{}, []bool{true, false, false}, nil, out)
			}
			if err != nil {
				t.Errorf("%s: %s: %v", name, spec, err)
			} else if got := string(testfile.Read(t, filepath.Join(out, c.table))); got != c.want || exists(filepath.Join(out, "i/a.png")) {
				t.Errorf("%s: %s: %q", name, spec, got)
			}
		}
	}
}
