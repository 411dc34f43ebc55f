package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// What single layouts have to get right beside the conformance suite.

// dot is a PNG file of one colour.
func dot(v uint8) []byte {
	var b bytes.Buffer
	img := image.NewRGBA(image.Rect(0, 0, 2, 2))
	for i := range img.Pix {
		img.Pix[i] = v
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	img.Pix[0]++ // no grey
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// shown is what a set's images are: "class:value" of each, sorted.
func shown(s *Set) string {
	if s == nil {
		return "none"
	}
	var all []string
	for i, l := range s.Labels {
		all = append(all, fmt.Sprintf("%s:%d", s.Classes[l], s.Image(i)[1]))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// files writes dots and texts: a name that ends in =N is an image of that value.
func files(t *testing.T, dir string, names ...string) string {
	t.Helper()
	for _, n := range names {
		name, content, ok := strings.Cut(n, "=")
		var v int
		if _, err := fmt.Sscan(content, &v); ok && err == nil && !strings.ContainsAny(content, ",\n") {
			put(t, filepath.Join(dir, name), dot(uint8(v)))
		} else {
			put(t, filepath.Join(dir, name), []byte(content))
		}
	}
	return dir
}

func TestFoldersAreUnderstood(t *testing.T) {
	for _, c := range []struct {
		files       string
		train, test string // or, in train, what the error says
		notes       string
	}{
		{"bus/a.png=1 car/b.png=2 train/c.png=3", "bus:1 car:2 train:3", "none", ""},
		{"images/bus/a.png=1 images/car/b.png=2 meta/train.txt=bus/a", "bus:1 car:2", "none", `images; not the folders beside it, ["meta"]`},
		{"images/train/bus/a.png=1 images/train/car/b.png=2 images/val/car/c.png=3 labels/train/a.txt=x", "bus:1 car:2", "car:3", `["labels"]`},
		{"train/a.png=1 test/b.png=2 labels.csv=id,breed", "labels.csv: expected a column of files", "", ""},
		{"train/bus/a.png=1 train/car/b.png=2 valid/bus/c.png=3", "bus:1 car:2", "bus:3", ""},
		{"Train/bus/a.png=1 Train/car/b.png=2 Test/bus/c.png=3", "bus:1 car:2", "bus:3", ""},
		{"training_set/bus/a.png=1 training_set/car/b.png=2 test_set/bus/c.png=3", "bus:1 car:2", "bus:3", ""},
		{"dataset/train/bus/a.png=1 dataset/train/car/b.png=2 dataset/test/car/c.png=3 readme.txt=x", "bus:1 car:2", "car:3", ""},
		{"train/bus/a.png=1 train/car/b.png=2 test/car/c.png=3 dev/car/d.png=4", "bus:1 car:2", "car:3", "dev/ is not read"},
		{"train/bus/a.png=1 train/car/b.png=2 test/car/c.png=3 extra/d.png=4", "bus:1 car:2", "car:3", `"extra"`},
		{"train/bus/a.png=1 train/car/b.png=2 van/d.png=4", `may be the training images or a class beside "van"`, "", ""},
		{"train/bus/a.png=1 train/car/b.png=2 training/car/c.png=3", "could both be", "", ""},
		{"train/bus/a.png=1 train/car/b.png=2 test/van/c.png=3", `expected a label of ["bus" "car"], found "van": the training images are of no such class; take these test images out`, "", ""},
		{
			"bus/a.png=1 bus/b.heic=x bus/c=x car/d=4 car/e.heic=y car/.ipynb_checkpoints/e.png=9 loose.png=3 .hid/x.png=1", "bus:1 car:4", "none",
			"3 files are no images that are read (.heic 2, none 1)|1 images lie in no class's folder|\".hid\"",
		},
		{"train/bus/a.png=1 train/car/b.png=2 val/car/c.png=3 test/d.png=4", "bus:1 car:2", "car:3", "test/ holds no image that is read"},
		{"seg_train/seg_train/bus/a.png=1 seg_train/seg_train/car/b.png=2 seg_test/seg_test/bus/c.png=3 seg_pred/seg_pred/d.png=4", "bus:1 car:2", "bus:3", `"seg_pred"`},
		{"train_station/a.png=1 test_tube/b.png=2", "test_tube:2 train_station:1", "none", ""},
		{"bus/a.png=1 car/b.png=2 van/readme.txt=x", "bus:1 car:2", "none", `1 of 3 classes have no training image: "van"`},
	} {
		dir := files(t, t.TempDir(), strings.Fields(c.files)...)
		d, err := Load(context.Background(), dir, Options{})
		if err != nil {
			if !strings.Contains(err.Error(), c.train) {
				t.Errorf("%s: %v", c.files, err)
			}
			continue
		}
		if shown(d.Train) != c.train || shown(d.Test) != c.test {
			t.Errorf("%s: %s and %s", c.files, shown(d.Train), shown(d.Test))
		}
		for _, n := range strings.Split(c.notes, "|") {
			if !strings.Contains(strings.Join(d.Notes, "\n"), n) {
				t.Errorf("%s: the notes %q do not say %q", c.files, d.Notes, n)
			}
		}
	}
}

func utf16Of(order binary.AppendByteOrder, mark bool, text string) string {
	var b []byte
	if mark {
		text = "\ufeff" + text
	}
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func TestTablesAreUnderstood(t *testing.T) {
	const plain = "file,label\na.png,x\nb.png,y\n"
	const two = "a.png=1 b.png=2"
	for name, c := range map[string]struct {
		table, text, files string
		options            Options
		want               string // the images, or what the error says
	}{
		"mark":            {"t.csv", "\ufeff" + plain, two, Options{}, "x:1 y:2"},
		"UTF-16 LE":       {"t.csv", utf16Of(binary.LittleEndian, true, plain), two, Options{}, "x:1 y:2"},
		"UTF-16 BE":       {"t.csv", utf16Of(binary.BigEndian, true, plain), two, Options{}, "x:1 y:2"},
		"no mark":         {"t.csv", utf16Of(binary.LittleEndian, false, plain), two, Options{}, "x:1 y:2"},
		"lines in cells":  {"t.csv", "note,file,label\n\"two\nlines\",a.png,x\n\"a, b\",b.png,\"y\nz\"\n", two, Options{}, "x:1 y\nz:2"},
		"semicolons":      {"t.csv", "file;label\na.png;x\nb.png;y\n", two, Options{}, "x:1 y:2"},
		"up":              {"t.csv", "file,label\n../a.png,x\nb.png,y\n", two, Options{}, "--root DIR"},
		"root":            {"t.csv", "file,label\na.png,x\nb.png,y\n", "", Options{Root: "R"}, "x:7 y:8"},
		"absolute":        {"t.csv", "file,label\nR/a.png,x\nR/b.png,y\n", "", Options{Root: "R"}, "x:7 y:8"},
		"absolute not":    {"t.csv", "file,label\nR/a.png,x\nR/b.png,y\n", "", Options{}, "--root DIR"},
		"absolute in":     {"t.csv", "file,label\nD/a.png,x\nD/b.png,y\n", two, Options{}, "x:1 y:2"},
		"below a class":   {"train.csv", plain, "train/x/a.png=1 train/y/b.png=2 test/x/a.png=9", Options{}, "x:1 y:2"},
		"below two":       {"t.csv", plain, "p/a.png=1 p/q/a.png=2 b.png=2", Options{}, "p/a.png or p/q/a.png; folder:"},
		"another part":    {"train.csv", "file,label\n1.png,x\n2.png,y\n3.png,x\n", "train/1.png=1 train/2.png=2 test/1.png=3 test/2.png=4 test/3.png=5", Options{}, "row 3: expected a readable file, found 3.png: no such file; test/3.png is of another part"},
		"a part's table":  {"train/t.csv", "file,label\n1.png,x\n2.png,y\n", "train/i/1.png=1 test/2.png=4", Options{}, "2.png: no such file"},
		"two tables":      {"labels.csv", plain, two + " sample_submission.csv=file,label\n", Options{}, `"labels.csv" and "sample_submission.csv" could both be meant`},
		"valves":          {"valves.csv", plain, two, Options{}, "x:1 y:2"},
		"camels":          {"trainLabels.csv", plain, two + " testLabels.csv=file,label\n", Options{}, "x:1 y:2"},
		"folds":           {"train.csv", plain, two + " train_folds.csv=file,label\n", Options{}, `"train.csv" and "train_folds.csv" could both be meant`},
		"−1":              {"t.csv", "file,label\na.png,x\nb.png,y\na.png,-1.0\n", two, Options{}, "t.csv, row 3: expected a label of"},
		"−1 and 1":        {"t.csv", "file,label\na.png,-1\nb.png,1\n", two, Options{}, `found 1 ["1"]; 1 images have the label −1, which means none`},
		"−2 in CSV":       {"t.csv", "file,label\na.png,-2\nb.png,3\n", two, Options{}, "-2:1 3:2"},
		"−2 in JSON":      {"t.jsonl", `{"file":"a.png","label":-2}` + "\n" + `{"file":"b.png","label":3}`, two, Options{}, "-2:1 3:2"},
		"numbers":         {"t.csv", "file,label\na.png,10\nb.png,9\n", two, Options{}, "10:1 9:2"},
		"floats":          {"t.csv", "file,label\na.png,10.0\nb.png,9.\nb.png,9\n", two, Options{}, "10:1 9:2 9:2"},
		"versions":        {"t.csv", "file,label\na.png,1.0\nb.png,1.5\n", two, Options{}, "1.0:1 1.5:2"},
		"large numbers":   {"t.jsonl", `{"file":"a.png","label":1000000}` + "\n" + `{"file":"b.png","label":2000000}`, two, Options{}, "1000000:1 2000000:2"},
		"metadata":        {"metadata.jsonl", `{"file_name":"x/a.png","text":"k"}`, "x/a.png=1 y/b.png=2", Options{}, "x:1 y:2"},
		"metadata, class": {"metadata.csv", "file_name,label\nx/a.png,k\ny/b.png,l\n", "x/a.png=1 y/b.png=2", Options{}, "k:1 l:2"},
		"columns":         {"t.csv", "id,breed\na.png,x\nb.png,y\n", two, Options{Image: "id", Label: "breed"}, "x:1 y:2"},
		"no column":       {"t.csv", plain, two, Options{Label: "breed"}, `no column "breed" for --label; there are ["file" "label"]`},
		"cells":           {"t.csv", "file,label\na.png,x\nb.png\n", two, Options{}, "t.csv, row 2: expected 2 cells, found 1"},
		"a list":          {"t.jsonl", `{"file":"a.png","label":["x"]}` + "\n" + `{"file":"b.png","label":["y"]}`, two, Options{}, "x:1 y:2"},
		"two names":       {"t.jsonl", `{"file":"a.png","label":["x","y"]}`, two, Options{}, "t.jsonl, row 1: expected one label, found a list of 2 labels"},
		"a file twice":    {"t.csv", "file,label\na.png,x\na.png,y\n", two, Options{}, "x:1 y:1"},
	} {
		t.Run(name, func(t *testing.T) {
			root, dir := files(t, t.TempDir(), "a.png=7", "b.png=8"), t.TempDir()
			text := strings.ReplaceAll(strings.ReplaceAll(c.text, "R/", root+"/"), "D/", dir+"/")
			put(t, filepath.Join(dir, c.table), []byte(text))
			files(t, dir, strings.Fields(c.files)...)
			if c.options.Root != "" {
				c.options.Root = root
			}
			d, err := Load(context.Background(), dir, c.options)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = shown(d.Train)
			}
			if err == nil && got != c.want || !strings.Contains(got, c.want) {
				t.Errorf("%s", got)
			}
			if err == nil && d.Train.Source(0) == d.Train.Source(1) {
				t.Errorf("two images are called %s", d.Train.Source(0))
			}
			if err == nil && d.Layout == "table" {
				if table, row := d.Train.Listed(1); table != c.table || row != 2 {
					t.Errorf("listed in %s, row %d", table, row)
				}
			}
		})
	}
}

// shardOf writes name, content pairs as a tar file. A content that begins with -> is a link.
func shardOf(t *testing.T, members ...string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		h := &tar.Header{Name: members[i], Mode: 0o644, Size: int64(len(members[i+1]))}
		if to, ok := strings.CutPrefix(members[i+1], "->"); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, to, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = w.Write([]byte(members[i+1]))
		}
	}
	_ = w.Close()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "train-0.tar"), b.Bytes())
	return dir
}

func TestShardsAreUnderstood(t *testing.T) {
	a, b := string(dot(1)), string(dot(2))
	for name, c := range map[string]struct {
		members []string
		options Options
		want    string
	}{
		"apart":         {[]string{"p/a.png", a, "p/b.png", b, "p/b.cls", "1", "p/a.cls", "0"}, Options{}, "0:1 1:2"},
		"dots":          {[]string{"a.v2.png", a, "a.cls", "0", "b.v2.png", b, "b.cls", "1"}, Options{}, "0:1 1:2"},
		"text":          {[]string{"a.png", a, "a.txt", "cat", "b.png", b, "b.txt", "dog"}, Options{}, "cat:1 dog:2"},
		"captions":      {[]string{"a.png", a, "a.txt", "one", "a.cls", "3", "b.png", b, "b.txt", "two", "b.cls", "4"}, Options{}, "3:1 4:2"},
		"floats":        {[]string{"a.png", a, "a.cls", "10.0", "b.png", b, "b.cls", "9.0"}, Options{}, "10:1 9:2"},
		"large":         {[]string{"a.png", a, "a.json", `{"label":1000000}`, "b.png", b, "b.json", `{"label":2000000}`}, Options{}, "1000000:1 2000000:2"},
		"a link":        {[]string{"a.png", a, "a.cls", "0", "b.png", "->a.png", "b.cls", "1"}, Options{}, "0:1 1:1"},
		"a name twice":  {[]string{"a.png", a, "a.cls", "0", "b.png", b, "b.cls", "1", "a.png", b}, Options{}, "train-0.tar/a.png: expected one member a.png, found two, members 0 and 4"},
		"two images":    {[]string{"a.in.png", a, "a.out.png", b, "a.cls", "0", "b.in.png", b, "b.cls", "1"}, Options{}, "--image ENDING"},
		"two and JSON":  {[]string{"a.in.png", a, "a.out.png", b, "a.json", `{"label":0}`, "b.in.png", b, "b.json", `{"label":1}`}, Options{}, "--image ENDING"},
		"one of two":    {[]string{"a.in.png", a, "a.out.png", b, "a.cls", "0", "b.in.png", b, "b.cls", "1"}, Options{Image: "in.png"}, "0:1 1:2"},
		"labels differ": {[]string{"a.png", a, "a.cls", "0", "a.json", `{"label":1}`, "b.png", b, "b.cls", "1"}, Options{}, `"0" in cls and 1 in json`},
	} {
		d, err := Load(context.Background(), shardOf(t, c.members...), c.options)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		} else if shown(d.Train) != c.want {
			t.Errorf("%s: %s", name, shown(d.Train))
		}
	}
}

func TestNumPyLabels(t *testing.T) {
	pix := make([]byte, 3*2*2*3)
	for i := range pix {
		pix[i] = byte(i)
	}
	text := func(names ...string) (b []byte) {
		for _, n := range names {
			for _, r := range append([]rune(n), 0, 0)[:2] {
				b = binary.LittleEndian.AppendUint32(b, uint32(r))
			}
		}
		return b
	}
	for name, c := range map[string]struct {
		kind   string
		dims   []int
		labels []byte
		want   string
	}{
		"large":      {"<u2", []int{3}, []byte{0, 0x80, 1, 0x80, 0, 0x80}, "[32768 32769]"},
		"big-endian": {">u2", []int{3}, []byte{0, 5, 0, 6, 0, 5}, "[5 6]"},
		"names":      {"<U2", []int{3}, text("é", "ab", "é"), "[ab é]"},
		"bytes":      {"|S2", []int{3}, []byte("x\x00yyx\x00"), "[x yy]"},
		"one-hot":    {"|u1", []int{3, 2}, []byte{1, 0, 0, 1, 1, 0}, "[0 1]"},
		"two ones":   {"|u1", []int{3, 2}, []byte{1, 0, 1, 1, 1, 0}, "labels, row 1: expected one label, found 2 classes of 2"},
		"no number":  {"<f4", []int{3}, []byte{0, 0, 0, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0x80, 0x3f}, "row 1: expected one label, found no whole number"},
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "images.npy"), npy("|u1", []int{3, 2, 2, 3}, pix))
		put(t, filepath.Join(dir, "labels.npy"), npy(c.kind, c.dims, c.labels))
		d, err := Load(context.Background(), dir, Options{})
		if got := fmt.Sprint(err); err != nil && !strings.Contains(got, c.want) || err == nil && fmt.Sprint(d.Train.Classes) != c.want {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
}
