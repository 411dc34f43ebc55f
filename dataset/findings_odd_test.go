package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// What is ambiguous, joined or half there is said, in whatever layout.
func TestOddDataAreSaid(t *testing.T) {
	tar := func(members ...string) []byte {
		raw := testfile.Read(t, filepath.Join(shardOf(t, members...), "train-0.tar"))
		return raw
	}
	a, b := string(dot(1)), string(dot(2))
	one, two := tar("a.png", a, "a.cls", "0", "b.png", b, "b.cls", "1"), tar("c.png", b, "c.cls", "1")
	packed := func(raw []byte) []byte {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(raw)
		_ = w.Close()
		return z.Bytes()
	}
	wrongSum := packed(one)
	wrongSum[len(wrongSum)-6] ^= 1
	const pictures = "a.png=1 b.png=2"
	for name, c := range map[string]struct {
		file  string
		raw   []byte
		files string
		want  string // in the error, or in the notes where it begins with "note: ", or the images
	}{
		"archives joined":            {"train.tar", append(bytes.Clone(one), two...), "", "more follows the end of the archive"},
		"archives joined and packed": {"train.tar.gz", packed(append(bytes.Clone(one), two...)), "", "more follows the end of the archive"},
		"packed archives joined":     {"train.tar.gz", append(packed(one), packed(two)...), "", "more follows the end of the archive"},
		"an archive's padding":       {"train.tar", append(bytes.Clone(one), make([]byte, 10240)...), "", "0:1 1:2"},
		"a wrong checksum":           {"train.tar.gz", wrongSum, "", "checksum"},
		"arrays of one name":         {"all.npz", zipOf("x_train.npy", "X_train.npy", "y_train.npy"), "", "two arrays are called x_train"},
		"arrays twice":               {"all.npz", zipOf("x_train.npy", "y_train.npy", "y_train.npy"), "", "two arrays are called y_train"},
		"a key twice":                {"t.jsonl", []byte("{\"file\":\"a.png\",\"label\":\"x\"}\n{\"file\":\"b.png\",\"label\":\"x\",\"label\":\"y\"}\n"), pictures, `the key "label" twice`},
		"no object":                  {"t.jsonl", []byte("{\"file\":\"a.png\",\"label\":\"x\"}\n[1]\n"), pictures, "row 2: expected a JSON object"},
		"Latin-1":                    {"t.csv", []byte("file,label\na.png,caf\xe9\nb.png,caf\xe8\n"), pictures, "is no UTF-8 text"},
		"no value":                   {"t.csv", []byte("file,label\na.png,nan\nb.png,cat\n"), pictures, `note: the class "nan" may be images without a label`},
		"numbers in two ways":        {"t.csv", []byte("file,label\na.png,1\nb.png,01\n"), pictures, "note: differ only in how a number is written"},
		"lines of old Macintoshes":   {"t.csv", []byte("file,label\ra.png,x\rb.png,y\r"), pictures, "no layout recognised"},
		"column names alone":         {"t.csv", []byte("file,label\n"), pictures, "t.csv: expected rows, found none"},
		"other names of columns":     {"t.csv", []byte("photo,label\na.png,x\n"), pictures, "t.csv: expected a column of files"},
		"other keys":                 {"t.jsonl", []byte(`{"photo":"a.png","label":"x"}`), pictures, "t.jsonl: expected a column of files"},
		"no column of labels":        {"t.csv", []byte("file,breed\na.png,x\n"), pictures, "t.csv: expected a column of labels"},
		"a quote in a cell":          {"t.csv", []byte("file,label\na.png,5\"x\n"), pictures, "t.csv: parse error on line 2"},
		"a name of Windows":          {"t.csv", []byte("file,label\nx\\a.png,x\nb.png,y\n"), pictures, "no such file"},
		"an empty table":             {"t.csv", nil, pictures, "no layout recognised"},
		"an empty archive":           {"train.tar", nil, "", "found 0"},
		"an empty NPZ":               {"all.npz", nil, "", "all.npz: zip: not a valid zip file"},
		"an NPZ that is cut off":     {"all.npz", zipOf("x_train.npy", "y_train.npy")[:300], "", "all.npz: zip: not a valid zip file"},
		"a stray NPZ":                {"all.npz", nil, "x/a.png=1 y/b.png=2", "x:1 y:2"},
		"an empty Parquet file":      {"train.parquet", nil, "", "train.parquet"},
		"an empty image":             {"x/c.png", nil, "x/a.png=1 y/b.png=2", "x/c.png: expected a readable image"},
		"a folder called as a file":  {"x/c.png/d.png", dot(3), "x/a.png=1 y/b.png=2", "x:1 x:3 y:2"},
		"another ending":             {"x/c.jpg", []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x09\x09\x09\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"), "x/a.png=1 y/b.png=2", "x:1 x:9 y:2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := files(t, t.TempDir(), strings.Fields(c.files)...)
			put(t, filepath.Join(dir, c.file), c.raw)
			d, err := Load(context.Background(), dir, Options{})
			note, said := strings.CutPrefix(c.want, "note: ")
			switch {
			case err != nil && !strings.Contains(err.Error(), c.want):
				t.Error(err)
			case err == nil && said && !strings.Contains(strings.Join(d.Notes, "\n"), note):
				t.Errorf("the notes are %q", d.Notes)
			case err == nil && !said && shown(d.Train) != c.want:
				t.Error(shown(d.Train))
			}
		})
	}
}

// Of CIFAR's batches those that are not there are named.
func TestMissingBatchesAreNamed(t *testing.T) {
	for _, h := range holders {
		if h.name != "CIFAR-10" && h.name != "CIFAR Python" {
			continue
		}
		dir := t.TempDir()
		s := tinySet(32, false, 1, 0)
		h.write(t, dir, s)
		ending := map[string]string{"CIFAR-10": ".bin"}[h.name]
		raw := testfile.Read(t, filepath.Join(dir, "data_batch_1"+ending))
		put(t, filepath.Join(dir, "data_batch_4"+ending), raw)
		d, err := Load(context.Background(), dir, Options{})
		if err != nil || d.Train.Len() != 2*len(s.train) || !strings.Contains(strings.Join(d.Notes, "\n"), "not there: data_batch_2, data_batch_3") {
			t.Errorf("%s: %v, %v", h.name, d, err)
		}
	}
}

// The archive that data were downloaded as, beside them, is no data set.
func TestDownloadsBesideData(t *testing.T) {
	for name, c := range map[string]struct {
		members []string
		layout  string
	}{
		"the batches":   {[]string{"cifar-10-batches-py/data_batch_1", "x", "cifar-10-batches-py/readme.html", "y", "._a.png", "z"}, "cifar-python"},
		"many members":  {append(slices.Repeat([]string{"x", ""}, lookedMembers), "a.png", "x"), "cifar-python"},
		"an image last": {append(slices.Repeat([]string{"x", ""}, lookedMembers-1), "a.png", "x"), "webdataset"},
		"no members":    {nil, "webdataset"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "cifar-10-batches-py"), os.DirFS("testdata/cifar-python")); err != nil {
			t.Fatal(err)
		}
		raw := testfile.Read(t, filepath.Join(shardOf(t, c.members...), "train-0.tar"))
		put(t, filepath.Join(dir, "cifar-10-python.tar"), raw)
		if _, l := recognise(builtin(), nil, dir, Options{}); l == nil || l.Name != c.layout {
			t.Errorf("%s: %+v, expected %s", name, l, c.layout)
		}
	}
}

// A picture of several pages says so.
func TestPagesOfTIFF(t *testing.T) {
	raw := testfile.Read(t, "testdata/odd/plain.tif")
	if got := tiffPages(raw); got != 1 {
		t.Errorf("%d pages", got)
	}
	at := int(raw[4]) | int(raw[5])<<8 | int(raw[6])<<16
	at += 2 + 12*(int(raw[at])|int(raw[at+1])<<8)
	raw[at] = 8
	if got := tiffPages(raw); got != 2 || !animated(raw) {
		t.Errorf("%d pages", got)
	}
	if tiffPages([]byte("II*\x00\xff\xff\xff\xff")) != 0 || tiffPages(nil) != 0 {
		t.Error("no picture has pages")
	}
}

// Filter writes a linked class folder with its table, and no file of holes.
func TestFilterOfLinkedTablesAndHoles(t *testing.T) {
	root, away := t.TempDir(), t.TempDir()
	var gtsrb *holder
	for i := range holders {
		if holders[i].name == "GTSRB" {
			gtsrb = &holders[i]
		}
	}
	dir := filepath.Join(root, "data")
	gtsrb.write(t, dir, tinySet(4, false, 2, 1))
	class := filepath.Join(dir, "Final_Training", "Images", "00001")
	if err := os.Rename(class, filepath.Join(away, "c")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(filepath.Join(away, "c"), class); err != nil {
		t.Skip(err)
	}
	hole := filepath.Join(dir, "notes.bin")
	put(t, hole, nil)
	if err := os.Truncate(hole, 20<<30); err != nil {
		t.Skip(err)
	}
	d := load(t, dir)
	drop := make([]bool, d.Train.Len())
	drop[2] = true
	out := filepath.Join(root, "out")
	notes, err := Correct(context.Background(), d, Options{}, drop, nil, out)
	if err != nil {
		t.Fatal(err)
	}
	if left := load(t, out); left.Train.Len() != len(drop)-1 {
		t.Errorf("%d images are left", left.Train.Len())
	}
	if _, err := os.Stat(filepath.Join(out, "notes.bin")); err == nil || !strings.Contains(strings.Join(notes, "\n"), "notes.bin is a sparse file") {
		t.Errorf("the notes are %q", notes)
	}
}

// zipOf is an .npz of arrays with these names: images where they begin with x, else labels.
func zipOf(names ...string) []byte {
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	for _, n := range names {
		e, _ := w.Create(n)
		if strings.HasPrefix(strings.ToLower(n), "x") {
			_, _ = e.Write(npy("|u1", []int{2, 1, 1, 3}, []byte{1, 2, 3, 4, 5, 6}))
		} else {
			_, _ = e.Write(npy("|u1", []int{2}, []byte{0, 1}))
		}
	}
	_ = w.Close()
	return z.Bytes()
}

// Options that a layout has no use for are refused: who names a column wants it to be read.
func TestOptionsOfOtherLayouts(t *testing.T) {
	root := t.TempDir()
	for spec, useless := range map[string][]Options{
		"testdata/folder":        {{Label: "x"}, {Image: "x"}, {Root: root}},
		"testdata/idx":           {{Label: "x"}, {Image: "x"}, {Root: root}},
		"testdata/parquet":       {{Root: root}},
		"testdata/cifar-python":  {{Image: "x"}, {Root: root}},
		"testdata/webdataset":    {{Root: root}},
		"testdata/numpy/all.npz": {{Root: root}},
	} {
		for _, o := range useless {
			_, err := Load(context.Background(), spec, o)
			if err == nil || !strings.Contains(err.Error(), "leave it out") || !strings.Contains(err.Error(), spec) {
				t.Errorf("%s, %+v: %v", spec, o, err)
			}
		}
	}
	if _, err := Load(context.Background(), "testdata/cifar-python", Options{Label: "labels"}); err != nil {
		t.Error(err)
	}
}
