package dataset

import (
	"archive/zip"
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Files that nearly are data say what would make them such.
func TestHints(t *testing.T) {
	type listed struct {
		File  string `parquet:"file_name"`
		Label string `parquet:"label"`
	}
	type paths struct {
		Image string `parquet:"image"`
		Label string `parquet:"label"`
	}
	classes := []string{"x", "y"}
	for name, c := range map[string]struct {
		write func(dir string)
		says  string
	}{
		"arrays of other names": {func(dir string) {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			for _, name := range []string{"arr_0.npy", "arr_1.npy"} {
				f, _ := w.Create(name)
				_, _ = f.Write(npy("|u1", []int{2}, []byte{0, 1}))
			}
			_ = w.Close()
			put(t, filepath.Join(dir, "a.npz"), b.Bytes())
		}, `a.npz: expected an array of images (x_train, train_images, train_x, images, x, data), or --image NAME and --label NAME, found ["arr_0" "arr_1"]`},
		"files of arrays": {func(dir string) {
			put(t, filepath.Join(dir, "faces.npy"), npy("|u1", []int{2, 1, 1, 3}, []byte("abcdef")))
		}, `found ["faces"]`},
		"an array of objects": {func(dir string) {
			files(t, dir, "t.jsonl=[{\"file\":\"a.png\",\"label\":1},\n{\"file\":\"b.png\",\"label\":2}]\n")
		}, "t.jsonl: the first row: expected a JSON object, found ["},
		"labels of another name": {func(dir string) { files(t, dir, "a.png=1", "t.csv=file,labels,age\na.png,x,7\n") }, `or --label COLUMN, found ["file" "labels" "age"]`},
		"shards of folders": {func(dir string) {
			put(t, filepath.Join(dir, "train.tar"), testfile.Read(t, filepath.Join(shardOf(t, "cat/a.png", string(dot(1)), "dog/b.png", string(dot(2))), "train-0.tar")))
		}, `none of the 2 images of train.tar has a label; if its folders, such as ["cat" "dog"], are the classes, unpack it`},
		"a packed shard": {func(dir string) { files(t, dir, "train.tar=\x1f\x8b\x08\x00") }, "train.tar: expected tar, found what gzip packed; let its name end in .tar.gz"},
		"Parquet of names": {func(dir string) {
			writeRows(t, filepath.Join(dir, "metadata.parquet"), classes, func(k int, l string) listed { return listed{l + ".png", l} })
		}, `metadata.parquet: expected a column image with bytes, or --image COLUMN, found ["file_name" "label"]; where "file_name" names image files, a table beside them is read`},
		"Parquet of images' names": {func(dir string) {
			writeRows(t, filepath.Join(dir, "train.parquet"), classes, func(k int, l string) paths { return paths{l + ".png", l} })
		}, `train.parquet, row 0: expected the bytes of an image, found "x.png"; where "image" names image files`},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		c.write(dir)
		if _, err := Load(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Cells are parted by what parts the names of the columns, which come after any empty lines; so they are written.
func TestWhatPartsCells(t *testing.T) {
	for _, c := range [][2]string{
		{"file|label\na.png|x\nb.png|y\nc.png|x\n", "file|label\nb.png|y\nc.png|x\n"},
		{"\r\n\r\nfile;label\r\na.png;x\r\nb.png;y\r\nc.png;x\r\n", "\r\n\r\nfile;label\r\nb.png;y\r\nc.png;x\r\n"},
		{"file,label|kind\na.png,x|1\nb.png,y|1\nc.png,x|1\n", ""},
	} {
		dir, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "out")
		files(t, dir, "a.png=1", "b.png=2", "c.png=3", "t.csv="+c[0])
		o := Options{}
		if c[1] == "" { // a comma comes before it
			o.Label = "label|kind"
		}
		d, err := Load(t.Context(), dir, o)
		if err != nil || d.Train.Len() != 3 {
			t.Errorf("%q: %v", c[0], err)
			continue
		}
		if _, err = Correct(t.Context(), d, o, []bool{true, false, false}, nil, out); err != nil {
			t.Errorf("%q: %v", c[0], err)
		} else if got := string(testfile.Read(t, filepath.Join(out, "t.csv"))); c[1] != "" && got != c[1] {
			t.Errorf("%q is written as %q", c[0], got)
		}
	}
}
