package dataset

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What could not be read of the test images is left out too, and so are links to nowhere; a file that another row names stays.
func TestFilterLeavesOutWhatIsBad(t *testing.T) {
	skip := Options{SkipBad: true}
	for name, c := range map[string]struct {
		files       string
		gone, there string
		note        string
	}{
		"folder": {
			"train/x/a.png=1 train/y/b.png=2 train/y/c.png=no test/x/d.png=4 test/y/e.png=no train/x/notes.txt=no",
			"train/y/c.png test/y/e.png train/y/l.png", "train/x/notes.txt", "3 records that could not be read are left out",
		},
		"table": {
			"i/a.png=1 i/b.png=2 i/c.png=no i/d.png=4 train.csv=file,label\ni/a.png,x\ni/b.png,y\ni/c.png,y\ni/d.png,\ni/a.png,\n test.csv=file,label\ni/d.png,x\ni/c.png,x\n",
			"i/c.png", "i/a.png i/d.png", "4 records that could not be read are left out",
		},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		for _, f := range strings.Split(c.files, " ") {
			files(t, dir, f)
		}
		if name == "folder" {
			if err := os.Symlink("nowhere", filepath.Join(dir, "train", "y", "l.png")); err != nil {
				t.Skip(err)
			}
		}
		d, err := Load(t.Context(), dir, skip)
		if err != nil {
			t.Fatal(name, err)
		}
		out := filepath.Join(t.TempDir(), "out")
		notes, err := Correct(t.Context(), d, skip, make([]bool, d.Train.Len()), nil, out)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(strings.Join(notes, "\n"), c.note) || strings.Contains(strings.Join(notes, "\n"), "stay") {
			t.Errorf("%s: the notes are %q", name, notes)
		}
		for _, f := range strings.Fields(c.gone) {
			if exists(filepath.Join(out, f)) {
				t.Errorf("%s: %s is there", name, f)
			}
		}
		for _, f := range strings.Fields(c.there) {
			if !exists(filepath.Join(out, f)) {
				t.Errorf("%s: %s is not there", name, f)
			}
		}
		if left := load(t, out); shown(left.Train) != "x:1 y:2" || shown(left.Test) != "x:4" {
			t.Errorf("%s: %s and %s are left", name, shown(left.Train), shown(left.Test))
		}
	}
}

// A cut-off gzipped array ends the copying too.
func TestCutOffRowsEnd(t *testing.T) {
	var b strings.Builder
	if err := copyRows(&b, &cutReader{"aabbc"}, 2, map[int]bool{0: true}, nil); err != nil || b.String() != "bbc" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// cutReader ends as a decompressor of a file that is cut off does.
type cutReader struct{ rest string }

func (r *cutReader) Read(p []byte) (int, error) {
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; n == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}
