package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// Of files that are there packed and unpacked, none with what was dropped is left.
func TestFilterOfIDXTwins(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raw")
	for _, name := range []string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"} {
		all := bytes.Repeat([]byte{1, 2, 3}, 4)
		raw := append([]byte{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2}, all...)
		if strings.Contains(name, "labels") {
			raw = []byte{0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 0}
		}
		put(t, filepath.Join(dir, name), raw)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(raw)
		_ = z.Close()
		put(t, filepath.Join(dir, name+".gz"), b.Bytes())
	}
	d := load(t, dir)
	out := filepath.Join(t.TempDir(), "out")
	notes, err := Correct(t.Context(), d, Options{}, []bool{true, false, false}, nil, out)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 2 || len(notes) != 2 || !strings.Contains(notes[0], "train-images-idx3-ubyte.gz was not copied") {
		t.Errorf("%v, %v, %q", entries, err, notes)
	}
	put(t, filepath.Join(dir, "train-labels.idx1-ubyte"), []byte{0, 0, 8, 1, 0, 0, 0, 3, 1, 1, 0})
	if _, err := Load(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "train-labels-idx1-ubyte and train-labels.idx1-ubyte differ") {
		t.Error(err)
	}
}

// IDX arrays with as many rows as there are training images lose the same rows, whatever their numbers take, with a note.
func TestFilterOfIDXBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raw")
	idx := func(kind byte, n int, row ...byte) []byte {
		raw := []byte{0, 0, kind, 1, 0, 0, 0, byte(n)}
		for i := range n {
			for _, b := range row {
				raw = append(raw, b+byte(i))
			}
		}
		return raw
	}
	put(t, filepath.Join(dir, "train-images-idx3-ubyte"), append([]byte{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1}, 7, 8, 9))
	put(t, filepath.Join(dir, "train-labels-idx1-ubyte"), idx(8, 3, 0))
	all := map[string][2][]byte{
		"train-coarse-idx1-ubyte":  {idx(8, 3, 10), append([]byte{0, 0, 8, 1, 0, 0, 0, 2}, 10, 12)},
		"train-weights-idx1-float": {idx(13, 3, 1, 2, 3, 4), append([]byte{0, 0, 13, 1, 0, 0, 0, 2}, 1, 2, 3, 4, 3, 4, 5, 6)},
		"t10k-coarse-idx1-ubyte":   {idx(8, 3, 10), idx(8, 3, 10)},
		"other-idx1-ubyte":         {idx(8, 4, 10), idx(8, 4, 10)},
		"idx.txt":                  {[]byte("idx"), []byte("idx")},
	}
	for name, x := range all {
		put(t, filepath.Join(dir, name), x[0])
	}
	d := load(t, dir)
	out := filepath.Join(t.TempDir(), "out")
	notes, err := Correct(t.Context(), d, Options{}, []bool{false, true, false}, nil, out)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range all {
		if got, err := os.ReadFile(filepath.Join(out, name)); err != nil || !bytes.Equal(got, x[1]) {
			t.Errorf("%s is % x, expected % x (%v)", name, got, x[1], err)
		}
	}
	if want := "these arrays lost the same rows as the images, as they had as many, 3: train-coarse-idx1-ubyte, train-weights-idx1-float"; !slices.Contains(notes, want) {
		t.Errorf("%q", notes)
	}
}

// Arrays with as many rows as there are training images lose the same rows, unless a word of their name is of another part.
func TestFilterOfArraysBeside(t *testing.T) {
	whole := map[string]bool{"x_test": true, "y_test": true, "xtest": true, "ids_val": true, "dev-names": true, "testset": true}
	dir := filepath.Join(t.TempDir(), "data")
	put(t, filepath.Join(dir, "x_train.npy"), npy("|u1", []int{3, 1, 1, 3}, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}))
	put(t, filepath.Join(dir, "y_train.npy"), npy("|u1", []int{3}, []byte{0, 1, 0}))
	put(t, filepath.Join(dir, "x_test.npy"), npy("|u1", []int{3, 1, 1, 3}, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}))
	all := []string{"device_id", "values", "latest", "interval", "contest", "ids", "ids_train", "xtest", "y_test", "ids_val", "dev-names", "testset"}
	for _, name := range all {
		put(t, filepath.Join(dir, name+".npy"), npy("|u1", []int{3}, []byte{0, 1, 0}))
	}
	_, _, out := filtered(t, dir, 0)
	for _, name := range append(all, "x_train", "y_train", "x_test") {
		h, err := npyFileHead(filepath.Join(out, name+".npy"))
		if want := map[bool]int{true: 3, false: 2}[whole[name]]; err != nil || h.rows != want {
			t.Errorf("%s: %+v, expected %d rows: %v", name, h, want, err)
		}
	}
}

// A member without an ending is of no sample, and stays.
func TestFilterOfMembersWithoutEnding(t *testing.T) {
	a, b := string(dot(1)), string(dot(2))
	dir := shardOf(t, "a", "x", "a.png", a, "a.cls", "0", "b.png", b, "b.cls", "1", "c.png", b, "c.cls", "0")
	_, _, out := filtered(t, dir, 0)
	if left := tarMembers(t, filepath.Join(out, "train-0.tar")); len(left) != 5 || left["a"] == nil {
		t.Errorf("%d members are left", len(left))
	}
}

// A table that changes its encoding says so.
func TestFilterOfUTF16(t *testing.T) {
	dir := files(t, filepath.Join(t.TempDir(), "data"), "a.png=1", "b.png=2", "c.png=3")
	raw := []byte{0xff, 0xfe}
	for _, c := range "file,label\na.png,x\nb.png,y\nc.png,x\n" {
		raw = append(raw, byte(c), 0)
	}
	put(t, filepath.Join(dir, "t.csv"), raw)
	d := load(t, dir)
	notes, err := Correct(t.Context(), d, Options{}, []bool{true, false, false}, nil, filepath.Join(t.TempDir(), "out"))
	if err != nil || !slices.Contains(notes, "t.csv was UTF-16 and is UTF-8 now") {
		t.Errorf("%q, %v", notes, err)
	}
}
