package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An error on a name that there is none of tells of one that people take for it.
func TestErrorsTellNamesThatLookAlike(t *testing.T) {
	const two = " train/tea/b.png=2 test/tea/d.png=4"
	for name, c := range map[string]struct{ files, table, want string }{
		"letters": {
			"train/caf\u00e9/a.png=1 test/cafe\u0301/c.png=3" + two, "",
			`; "cafe\u0301" and "caf\u00e9" differ only in the Unicode form of their letters (NFC, NFD): give both one name`,
		},
		"case":      {"train/Cat/a.png=1 test/cat/c.png=3" + two, "", `"cat" and "Cat" differ only in upper and lower case: give both one name`},
		"another":   {"train/cat/a.png=1 test/dog/c.png=3" + two, "", `found "dog": the training images are of no such class; take these test images out, or pass over them with --skip-bad`},
		"spaces":    {"img/a.png=1 img/b.png=2", "path,label\n img/a.png ,x\nimg/b.png,y\n", `"img/a.png" is there, and differs only in spaces or characters that do not show`},
		"no ending": {"img/a.txt=1, img/b.png=2", "path,label\nb,x\na,y\n", "row 2: expected a readable file, found a: no such file"},
		"no file":   {"img/a.png=1 img/b.png=2", "path,label\nc.png,x\nb.png,y\n", "found c.png: no such file"},
		"twice":     {"img/a.png=1 img/b.png=2", "path,label,label\nimg/a.png,x,z\nimg/b.png,y,z\n", `2 are called "label"; rename those that are not`},
	} {
		dir := files(t, t.TempDir(), strings.Fields(c.files)...)
		if c.table != "" {
			put(t, filepath.Join(dir, "train.csv"), []byte(c.table))
		}
		for _, o := range []Options{{}, {Label: "label"}} {
			if c.table == "" && o.Label != "" {
				continue
			}
			if _, err := Load(t.Context(), dir, o); err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("%s: %v, expected %s", name, err, c.want)
			}
		}
	}
	dir := files(t, t.TempDir(), "img/a.png=1", "img/b.png=2", "train.csv=path,label\rimg/a.png,x\rimg/b.png,y\r")
	for _, spec := range []string{dir, "table:" + dir} {
		if _, err := Load(t.Context(), spec, Options{}); err == nil || !strings.Contains(err.Error(), "train.csv: its lines end in a carriage return (\\r) alone; save it with line feeds") {
			t.Errorf("%s: %v", spec, err)
		}
	}
	f := &finder{data: &store{root: "."}, below: map[string][]string{"Cafe\u0301.png": {"x/Cafe\u0301.png"}}}
	if got := f.likely("/caf\u00e9.png"); !strings.Contains(got, `"x/Cafe\u0301.png" is there, and differs only in upper and lower case`) {
		t.Error(got)
	}
	if got := f.likely("/y/caf\u00e9.png"); got != "" { // in another folder
		t.Error(got)
	}
}

// Where many files have one name, and many cells name none of them, each is looked at once, and not for each cell.
func TestManyNamesAreLookedAtOnce(t *testing.T) {
	var paths []string
	for i := range 2000 {
		paths = append(paths, fmt.Sprintf("%05d/image.png", i))
	}
	f := &finder{data: &store{root: "."}, below: map[string][]string{"image.png": paths}}
	if n := testing.AllocsPerRun(3, func() { f.likely("/none/image.png") }); n > 100 {
		t.Errorf("%.0f pieces of memory for a cell", n)
	}
	if got := f.likely("/00007/IMAGE.png"); !strings.Contains(got, `"00007/image.png" is there, and differs only in upper and lower case`) {
		t.Error(got)
	}
}

// A byte-order mark, which some editors write, is no part of a label or a row.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\ufeff"
	a, b := string(dot(1)), string(dot(2))
	for name, members := range map[string][]string{
		"cls":  {"a.png", a, "a.cls", mark + "0\r\n", "b.png", b, "b.cls", "1"},
		"json": {"a.png", a, "a.json", mark + `{"label": 0}`, "b.png", b, "b.json", `{"label": 1}`},
	} {
		dir := shardOf(t, members...)
		d := load(t, dir)
		if got := shown(d.Train); got != "0:1 1:2" {
			t.Fatalf("%s: %s", name, got)
		}
		out := filepath.Join(t.TempDir(), "out")
		if _, err := Correct(context.Background(), d, Options{}, make([]bool, 2), []int32{1, -1}, out); err == nil || !strings.Contains(err.Error(), "two classes") {
			t.Errorf("%s: %v", name, err) // both are of one class then, which no data are
		}
		if _, err := Correct(context.Background(), d, Options{}, make([]bool, 2), []int32{1, 0}, out); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := shown(load(t, out).Train); got != "0:2 1:1" {
			t.Errorf("%s: %s", name, got)
		}
	}

	dir := files(t, t.TempDir(), "x/a.png=1", "x/b.png=2", "y/c.png=3", "y/d.png=4")
	put(t, filepath.Join(dir, "metadata.jsonl"), []byte(mark+`{"file_name": "x/a.png", "note": 1}`+"\n"+`{"file_name": "x/b.png", "note": 2}`+"\n"))
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Correct(context.Background(), load(t, "folder:"+dir), Options{}, []bool{true, false, false, false}, nil, out); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(filepath.Join(out, "metadata.jsonl")); err != nil || strings.Contains(string(raw), "a.png") || !strings.Contains(string(raw), "b.png") {
		t.Errorf("the table still names a dropped image: %s, %v", raw, err)
	}
}
