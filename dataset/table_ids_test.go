package dataset

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// A column of ids names the images where no other one does, if it is the only one and its first rows name image files.
func TestTablesOfIDs(t *testing.T) {
	const note = `the images are those that the column "id" of t.csv names`
	for name, c := range map[string]struct{ images, table, want, says string }{
		"Kaggle's":         {"train/7.png=7 train/8.png=8", "t.csv=id,label\n7,x\n8,y\n", "x:7 y:8", note},
		"with endings":     {"7.png=7 8.png=8", "t.csv=id,label\n7.png,x\n8.png,y\n", "x:7 y:8", note},
		"another name":     {"i/7.png=7 i/8.png=8", "t.csv=Image_ID;label\n7;x\n8;y\n", "x:7 y:8", `"Image_ID"`},
		"a column a class": {"i/7.png=7 i/8.png=8", "t.csv=id,p,q\n7,1,0\n8,0,1\n", "p:7 q:8", note},
		"in JSON":          {"i/7.png=7 i/8.png=8", "t.jsonl={\"id\":\"7\",\"label\":\"x\"}\n{\"id\":\"8\",\"label\":\"y\"}\n", "x:7 y:8", ""},
		"beside folders":   {"a/7.png=7 b/8.png=8", "t.csv=id,label\n7,x\n8,y\n", "x:7 y:8", note},
		"files too":        {"i/7.png=7 i/8.png=8", "t.csv=id,file,label\n8,7.png,x\n7,8.png,y\n", "x:7 y:8", ""},
		"a later gap":      {"i/7.png=7 i/8.png=8", "t.csv=id,label\n" + strings.Repeat("7,x\n", idRows-1) + "8,y\n9,x\n", "", "t.csv, row 17: expected a readable file, found 9: no such file"},
		"no images":        {"i/5.png=7 i/6.png=8", "t.csv=id,label\n7,x\n8,y\n", "", "or --image COLUMN, as --image id if that holds the names of image files"},
		"no image of one":  {"i/7.png=7", "t.csv=id,label\n7,x\n8,y\n", "", "or --image COLUMN, as --image id"},
		"folders of ids":   {"7/a.png=7 8/b.png=8", "t.csv=id,label\n7,x\n8,y\n", "7:7 8:8", ""},
		"two columns":      {"i/7.png=7 i/8.png=8", "t.csv=id,name,label\n7,8,x\n8,7,y\n", "", "or --image COLUMN, as --image id"},
		"several files":    {"i/7.png=7 j/7.png=9 i/8.png=8", "t.csv=id,label\n7,x\n8,y\n", "i:7 i:8 j:9", ""},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		for _, file := range append(strings.Fields(c.images), c.table) {
			files(t, dir, file)
		}
		d, err := Load(t.Context(), dir, Options{})
		switch {
		case err != nil:
			if c.want != "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
		case shown(d.Train) != c.want || !strings.Contains(strings.Join(d.Notes, "\n"), c.says):
			t.Errorf("%s: %s; the notes are %q", name, shown(d.Train), d.Notes)
		}
	}
}

// What is written of such data has the rows that are kept, under their labels.
func TestTablesOfIDsAreWritten(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "out")
	files(t, dir, "i/7.png=7", "i/8.png=8", "i/9.png=9", "i/10.png=10", "t.csv=id,label\n7,x\n8,y\n9,x\n10,x\n")
	if _, err := Correct(t.Context(), load(t, dir), Options{}, []bool{true, false, false, false}, []int32{-1, -1, 1, -1}, out); err != nil {
		t.Fatal(err)
	}
	if got := string(testfile.Read(t, filepath.Join(out, "t.csv"))); got != "id,label\n8,y\n9,y\n10,x\n" {
		t.Error(got)
	}
	if exists(filepath.Join(out, "i/7.png")) || !exists(filepath.Join(out, "i/8.png")) {
		t.Error("other files are left")
	}
}
