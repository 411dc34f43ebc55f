package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tables that name the same images call them by names of their own, in every row, and can be filtered by them.
func TestTablesThatNameTheSameImages(t *testing.T) {
	png := images(t)
	dir := filepath.Join(t.TempDir(), "data")
	for i, name := range []string{"a.png", "b.png"} {
		write(t, filepath.Join(dir, name), png[i])
	}
	rows := "a.png,x\na.png,y\nb.png,x\n"
	for _, name := range []string{"train-1.csv", "train-2.csv", "train-3.csv"} {
		write(t, filepath.Join(dir, name), []byte("path,label\n"+rows))
	}
	d, err := Load(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i := range d.Train.Len() {
		source := d.Train.Source(i)
		if k, ok := at[source]; ok {
			t.Errorf("images %d and %d are called %s", k, i, source)
		}
		at[source] = i
	}
	if d.Train.Len() != 9 {
		t.Fatalf("%d images of three tables with three rows", d.Train.Len())
	}
	if notes := strings.Join(d.Notes, "\n"); !strings.Contains(notes, "2 images are named by more than one of the tables train-1.csv … train-3.csv") {
		t.Errorf("the notes are %q", notes)
	}
	_, _, out := filtered(t, dir, 0, 4, 8) // a row of each table
	for k, want := range []string{"a.png,y\nb.png,x\n", "a.png,x\nb.png,x\n", "a.png,x\na.png,y\n"} {
		if got, err := os.ReadFile(filepath.Join(out, fmt.Sprintf("train-%d.csv", k+1))); err != nil || string(got) != "path,label\n"+want {
			t.Errorf("table %d is %q, expected %q (%v)", k+1, got, want, err)
		}
	}
}

// Validation images lie in their part's folder, or, where there is none, among those of the training.
func TestPartsOfTrainingFolders(t *testing.T) {
	for more, want := range map[string]string{"": "x:3", "val/9.png=9": "3.png: no such file; train/3.png is of another part"} {
		dir := files(t, t.TempDir(), "train/1.png=1", "train/2.png=2", "train/3.png=3", "train.csv=path,label\n1.png,x\n2.png,y\n", "val.csv=path,label\n3.png,x\n")
		files(t, dir, strings.Fields(more)...)
		d, err := Load(context.Background(), dir, Options{})
		if err == nil && shown(d.Test) != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("with %q: %v, %v", more, d, err)
		}
	}
}

// A file that an unread table names stays, and one of the same name in another folder does not.
func TestFilterKeepsWhatOtherTablesName(t *testing.T) {
	for name, c := range map[string]struct {
		files string
		gone  bool // train/1.png
	}{
		"by its path":          {"val.csv=path,label\ntrain/1.png,x\n", false},
		"by a path of Windows": {"val.csv=path,label\ntrain\\1.png,x\n", false},
		"by an absolute path":  {"val.csv=path,label\nD/train/1.png,x\n", false},
		"from its folder":      {"lists/val.csv=path,label\n../train/1.png,x\n", false},
		"by its last element":  {"lists/val.csv=path,label\n1.png,x\n", false},
		"by a linked folder":   {"val.csv=path,label\nlink/1.png,x\n", false},
		"another":              {"val.csv=path,label\nval/1.png,x\n", true},
		"another beside":       {"val/val.csv=path,label\n1.png,x\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := files(t, filepath.Join(t.TempDir(), "data"), "train/1.png=1", "train/2.png=2", "train/3.png=3", "val/1.png=4", "test/1.png=5")
			files(t, dir, "train.csv=path,label\ntrain/1.png,x\ntrain/2.png,y\ntrain/3.png,x\n", "test.csv=path,label\ntest/1.png,x\n", strings.ReplaceAll(c.files, "D/", dir+"/"))
			if err := os.Symlink("train", filepath.Join(dir, "link")); err != nil {
				t.Skip(err)
			}
			_, _, out := filtered(t, dir, 0)
			if gone := !exists(filepath.Join(out, "train", "1.png")); gone != c.gone || !exists(filepath.Join(out, "val", "1.png")) {
				t.Errorf("train/1.png is gone: %t, expected %t", gone, c.gone)
			}
			notes, err := Correct(t.Context(), load(t, dir), Options{}, []bool{true, false, false}, nil, filepath.Join(t.TempDir(), "out"))
			if said := strings.Contains(strings.Join(notes, "\n"), "1 dropped images stay as files, since "); err != nil || said == c.gone {
				t.Errorf("the notes are %q, %v", notes, err)
			}
		})
	}
}

// Tables may name images without their ending, as Kaggle's do.
func TestTablesNameImagesWithoutTheirEnding(t *testing.T) {
	const table = "path,label\na,x\nb.1,y\nc,x\n"
	for name, c := range map[string]struct {
		files string
		root  bool
		want  string // training images, or a part of the error
	}{
		"below":        {"i/a.png=1 i/b.1.JPG=2 i/c.png=3 i/c.txt=4,", false, "x:1 x:3 y:2"},
		"beside":       {"a.png=1 b.1.png=2 c.png=3", false, "x:1 x:3 y:2"},
		"twice":        {"i/a.png=1 i/b.1.png=2 i/c.jpg=3 i/c.png=4", false, "c, which may be i/c.jpg or i/c.png"},
		"of two parts": {"train/a.png=1 train/b.1.png=2 train/c.png=3 test/c.png=4", false, "x:1 x:3 y:2"},
		"none":         {"i/a.png=1 i/b.1.png=2 i/c.txt=3,", false, "row 3: expected a readable file, found c: no such file"},
		"elsewhere":    {"a.png=1 b.1.JPG=2 c.png=3", true, "x:1 x:3 y:2"},
		"twice there":  {"a.png=1 b.1.JPG=2 c.png=3 c.jpg=4", true, "c: expected a readable file"},
	} {
		dir := files(t, t.TempDir(), strings.Fields(c.files)...)
		o, data := Options{}, dir
		if c.root {
			o.Root, data = dir, t.TempDir()
		}
		put(t, filepath.Join(data, "train.csv"), []byte(table))
		d, err := Load(t.Context(), data, o)
		if err == nil && shown(d.Train) != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %s", name, err, c.want)
		}
	}
	dir := files(t, filepath.Join(t.TempDir(), "data"), "i/1.png=1", "i/2.png=2", "i/3.png=3", "i/4.png=4", "train.csv=path,label\n1,x\n2,y\n3,x\n4,y\n", "lists/other.csv=path,label,n\n1,x,2\n")
	_, left, out := filtered(t, dir, 0, 1)
	if shown(left.Train) != "x:3 y:4" || !exists(filepath.Join(out, "i/1.png")) || exists(filepath.Join(out, "i/2.png")) {
		t.Errorf("%s are left; a file that another table names has to stay, and one of a number in it to go", shown(left.Train))
	}
}

// Absolute paths in the data are relative in what is written, which lies elsewhere.
func TestFilterOfAbsolutePaths(t *testing.T) {
	for table, c := range map[string]struct{ text, want string }{
		"t.csv":        {"note,path,label\n1,D/i/a.png,x\n2,D/i/b.png,y\n3,i/c.png,x\n", "note,path,label\n2,i/b.png,y\n3,i/c.png,x\n"},
		"data/t.jsonl": {`{"path":"D/i/a.png","label":"x"}` + "\n" + `{"path": "D/i/b.png","label":"y"}` + "\n" + `{"path":"i/c.png","label":"x"}`, `{"path": "../i/b.png","label":"y"}` + "\n" + `{"path":"i/c.png","label":"x"}`},
	} {
		dir := files(t, filepath.Join(t.TempDir(), "data"), "i/a.png=1", "i/b.png=2", "i/c.png=3")
		put(t, filepath.Join(dir, table), []byte(strings.ReplaceAll(c.text, "D/", dir+"/")))
		test := "file,label\n" + dir + "/i/c.png,y\n"
		put(t, filepath.Join(filepath.Dir(filepath.Join(dir, table)), "test.csv"), []byte(test))
		_, left, out := filtered(t, dir, 0)
		if shown(left.Train) != "x:3 y:2" || shown(left.Test) != "y:3" {
			t.Errorf("%s: %s and %s are left", table, shown(left.Train), shown(left.Test))
		}
		if got, err := os.ReadFile(filepath.Join(out, table)); err != nil || string(got) != c.want {
			t.Errorf("%s is %q, expected %q: %v", table, got, c.want, err)
		}
		if exists(filepath.Join(out, "i", "a.png")) {
			t.Errorf("%s: the dropped image is there", table)
		}
	}
}
