package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// The files in testdata were written by other programs: NumPy, Python's pickle, Pillow, GNU tar, gzip,
// zstd, DuckDB; see make.py and make-parquet.cjs there. All hold the same twelve images.

func load(t *testing.T, spec string) *Data {
	t.Helper()
	d, err := Load(context.Background(), spec, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFormatsHoldTheSame(t *testing.T) {
	want := load(t, "testdata/folder")
	if want.Train.Len() != 8 || want.Test.Len() != 4 || want.Train.Height != 32 {
		t.Fatalf("the folder holds %d and %d images", want.Train.Len(), want.Test.Len())
	}
	for spec, layout := range map[string]string{
		"testdata/table": "table", "testdata/cifar-python": "cifar-python", "testdata/cifar100-python": "cifar-python",
		"testdata/numpy": "numpy", "testdata/numpy/all.npz": "numpy", "testdata/webdataset": "webdataset", "testdata/parquet": "parquet",
		"testdata/table/tabs.tsv": "table", "testdata/table/lines.jsonl": "table", "testdata/numpy/planar": "numpy",
	} {
		t.Run(filepath.Base(spec), func(t *testing.T) {
			d := load(t, spec)
			if d.Layout != layout {
				t.Errorf("taken for %s", d.Layout)
			}
			if d.Train.Digest() != want.Train.Digest() {
				t.Error("other training images or labels than in the folder")
			}
			if d.Test != nil && d.Test.Digest() != want.Test.Digest() {
				t.Error("other test images or labels than in the folder")
			}
			if layout == "parquet" || spec == "testdata/cifar-python" || layout == "table" {
				if fmt.Sprint(d.Train.Classes) != "[cat dog]" {
					t.Errorf("classes %v", d.Train.Classes)
				}
			}
		})
	}
	grey := load(t, "testdata/idx")
	for i := range 8 {
		for p := range 32 * 32 {
			v := want.Train.Image(i)[3*p]
			if g := grey.Train.Image(i)[3*p : 3*p+3]; g[0] != v || g[1] != v || g[2] != v {
				t.Fatalf("IDX image %d, pixel %d: %v, expected %d", i, p, g, v)
			}
		}
	}
	if grey.Test.Len() != 4 || grey.Test.Labels[3] != 1 {
		t.Errorf("IDX: %d test images, labels %v", grey.Test.Len(), grey.Test.Labels)
	}
}

func TestOddImageFiles(t *testing.T) {
	read := func(path string) ([]uint8, int, int, error) {
		raw := testfile.Read(t, path)
		return decode(raw)
	}
	want, h, w, err := read("testdata/odd/plain.png")
	if err != nil || h != 16 || w != 24 || want[0] != 255 || want[2] != 0 {
		t.Fatalf("%d×%d: %v", h, w, err)
	}
	entries, err := os.ReadDir("testdata/odd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got, gh, gw, err := read(filepath.Join("testdata/odd", e.Name()))
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
			continue
		}
		if gh != 16 || gw != 24 {
			t.Errorf("%s is %d×%d, expected it upright, 16×24", e.Name(), gh, gw)
			continue
		}
		worst := 0
		for _, p := range []int{3*24*2 + 3*2, 3*24*2 + 3*20, 3*24*13 + 3*2, 3*24*13 + 3*20} { // inside the quarters
			for c := range 3 {
				v := want[p+c]
				if strings.HasPrefix(e.Name(), "grey") {
					v = want[p] // red alone was stored
				}
				worst = max(worst, int(max(got[p+c], v)-min(got[p+c], v)))
			}
		}
		if limit := map[string]int{".jpg": 12}[filepath.Ext(e.Name())]; worst > limit {
			t.Errorf("%s differs by up to %d", e.Name(), worst)
		}
	}
}

// Damaged files end in an error that names the file, or are read; nothing panics.
func TestDamagedFormats(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, dir := range []string{"testdata/cifar-python", "testdata/idx", "testdata/numpy", "testdata/webdataset", "testdata/table", "testdata/parquet"} {
		var files []string
		err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && !strings.Contains(p, "planar") && filepath.Ext(p) != ".png" {
				files = append(files, p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		broken := t.TempDir()
		if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		for k := range 200 {
			file := files[k%len(files)]
			whole := testfile.Read(t, file)
			raw := bytes.Clone(whole)
			if k < 100 {
				raw = raw[:r.IntN(len(raw))]
			} else {
				raw[r.IntN(len(raw))] ^= byte(1 + r.IntN(255))
			}
			rel, err := filepath.Rel(dir, file)
			if err != nil {
				t.Fatal(err)
			}
			testfile.Write(t, filepath.Join(broken, rel), raw)
			d, err := Load(context.Background(), broken, Options{SkipBad: k%2 == 0})
			if err == nil && d.Train.Len() > 16 {
				t.Errorf("%s, damage %d: %d images out of 8", file, k, d.Train.Len())
			}
			testfile.Write(t, filepath.Join(broken, rel), whole)
		}
	}
}

// A damaged image file ends in an error that names it, or is read to some image; nothing panics.
func TestDamagedImages(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	entries, err := os.ReadDir("testdata/odd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		whole := testfile.Read(t, filepath.Join("testdata/odd", e.Name()))
		path := filepath.Join(t.TempDir(), e.Name())
		failed := 0
		for k := range 200 {
			raw := whole[:len(whole)*(k%100)/100]
			if k >= 100 {
				raw = bytes.Clone(whole)
				raw[r.IntN(len(raw))] ^= byte(1 + r.IntN(255))
			}
			testfile.Write(t, path, raw)
			var pixels []uint8
			var bad error
			_, err := EachImage(context.Background(), []string{path}, 4, 5, 0, func(_ int, p []uint8, b error) error {
				pixels, bad = p, b
				return nil
			})
			err = errors.Join(err, bad)
			switch {
			case err == nil && len(pixels) != 3*4*5:
				t.Errorf("%s, damage %d: %d bytes", e.Name(), k, len(pixels))
			case err != nil && !strings.Contains(err.Error(), e.Name()):
				t.Errorf("%s, damage %d: the error does not name it: %v", e.Name(), k, err)
			case err != nil:
				failed++
			}
		}
		if failed < 50 {
			t.Errorf("%s: %d of 200 damaged files were refused", e.Name(), failed)
		}
	}
}

func TestTablesStayInTheirFolder(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"../secret.png", "/etc/passwd", "a/../../secret.png"} {
		testfile.Write(t, filepath.Join(dir, "train.csv"), "path,label\n"+p+",a\nx.png,b\n")
		_, err := Load(context.Background(), dir, Options{})
		if err == nil || !strings.Contains(err.Error(), "--root") || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestPartsOfADataSet(t *testing.T) {
	for _, c := range []struct{ files, train, test string }{
		{"train-00000-of-00001.parquet test-00000-of-00001.parquet", "train-00000-of-00001.parquet", "test-00000-of-00001.parquet"},
		{"data/train-0.parquet data/validation-0.parquet", "data/train-0.parquet", "data/validation-0.parquet"},
		{"cifar-train-000.parquet cifar-train-001.parquet cifar-test-000.parquet", "cifar-train-000.parquet cifar-train-001.parquet", "cifar-test-000.parquet"},
		{"train/0.parquet train/1.parquet test/0.parquet val/0.parquet", "train/0.parquet train/1.parquet", "test/0.parquet"},
		{"train/0.parquet val/0.parquet", "train/0.parquet", "val/0.parquet"},
		{"train.parquet extra.parquet val.parquet", "train.parquet", "val.parquet"},
		{"latest.parquet", "latest.parquet", ""},
		{"a.parquet testset.parquet", "a.parquet", "testset.parquet"},
		{"trainset.parquet a.parquet", "trainset.parquet", ""},
		{"a.parquet b.parquet .c.parquet d.csv", "a.parquet b.parquet", ""},
	} {
		dir := t.TempDir()
		for _, f := range strings.Fields(c.files) {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(f)), 0o755); err != nil {
				t.Fatal(err)
			}
			testfile.Write(t, filepath.Join(dir, f), "")
		}
		p := newStore(dir, Options{}).partFiles(dir, parquetSuffixes)
		test := p.test
		if len(test) == 0 {
			test = p.val
		}
		for want, got := range map[string][]string{c.train: p.train, c.test: test} {
			for i := range got {
				got[i] = strings.TrimPrefix(filepath.ToSlash(got[i]), filepath.ToSlash(dir)+"/")
			}
			if strings.Join(got, " ") != want {
				t.Errorf("of %s: %v, expected %s", c.files, got, want)
			}
		}
	}
}

// decode turns an image file's bytes into RGB, upright.
func decode(raw []byte) (pixels []uint8, h, w int, err error) {
	pixels, h, w, _, err = decodeDepth(raw, 16)
	return pixels, h, w, err
}
