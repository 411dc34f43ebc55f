package dataset

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// sixImages are those that testdata/features/make.py wrote features of.
func sixImages() *Set {
	s := &Set{Height: 1, Width: 1, Classes: []string{"a", "b"}}
	for i := range 6 {
		s.add([]uint8{1, 2, 3}, int32(i%2), fmt.Sprintf("train/%s/%d.png", []string{"a", "b"}[i%2], i), -1)
	}
	return s
}

func madeRow(i int) (row []float32) {
	for k := range 5 {
		row = append(row, float32(i)-float32(k)/4)
	}
	return row
}

func TestFeaturesAsNumPyAndPyTorchWriteThem(t *testing.T) {
	for _, name := range []string{"torch-float32", "torch-float16", "numpy-big-endian"} {
		f, err := LoadFeatures("testdata/features/"+name+".npy", sixImages(), FeatureOptions{})
		if err != nil {
			t.Error(err)
			continue
		}
		if f.Len() != 6 || f.Width != 5 || f.Missing != 0 || f.Note != "" {
			t.Errorf("%s: %+v", name, f)
		}
		for i := range 6 {
			if !slices.Equal(f.At(i), madeRow(i)) {
				t.Errorf("%s: image %d has %v, expected %v", name, i, f.At(i), madeRow(i))
			}
		}
	}
	for name, says := range map[string]string{
		"torch-nan":              "row 3: expected finite numbers, found NaN in column 2",
		"torch-infinite-float16": "row 0: expected finite numbers, found -Inf in column 1",
		"numpy-float64":          "expected float16 or float32, found f8",
		"numpy-columns":          "numpy.ascontiguousarray",
		"none":                   "no such file",
	} {
		if _, err := LoadFeatures("testdata/features/"+name+".npy", sixImages(), FeatureOptions{}); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, expected %q", name, err, says)
		}
	}
	few := sixImages().pick([]int{0, 1})
	if _, err := LoadFeatures("testdata/features/torch-float32.npy", few, FeatureOptions{}); err == nil || !strings.Contains(err.Error(), "6 rows for 2 training images") {
		t.Errorf("rows of other images: %v", err)
	}
	raw := testfile.Read(t, "testdata/features/torch-float32.npy")
	for _, n := range []int{0, 5, 60, len(raw) - 1} {
		cut := filepath.Join(t.TempDir(), "cut.npy")
		put(t, cut, raw[:n])
		if _, err := LoadFeatures(cut, sixImages(), FeatureOptions{}); err == nil {
			t.Errorf("a file cut off at %d was read", n)
		}
	}
}

type (
	namedRow struct {
		File     string    `parquet:"file_name"`
		Features []float32 `parquet:"features,list"`
	}
	plainRow struct {
		Embedding []float64 `parquet:"embedding,list"`
	}
	hubImage struct {
		Bytes []byte `parquet:"bytes"`
		Path  string `parquet:"path"`
	}
	hubRow struct {
		Image    *hubImage `parquet:"image,optional"`
		Features []float32 `parquet:"features,list"`
	}
)

func parquetFile[T any](t *testing.T, rows ...T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.parquet")
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	return path
}

// isMade compares features with those that were made.
func isMade(t *testing.T, name string, f *Features, err error, missing, unused int) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	gone := 0
	for i := range 6 {
		row := f.At(i)
		gone += bit(row == nil)
		if row != nil && !slices.Equal(row, madeRow(i)) {
			t.Errorf("%s: image %d has %v", name, i, row)
		}
	}
	if gone != missing || f.Missing != missing || f.Unused != unused || f.Width != 5 || strings.Contains(f.Note, "are of no image") != (missing+unused > 0) {
		t.Errorf("%s: %d are missing; %+v", name, gone, f)
	}
}

func TestFeaturesInParquet(t *testing.T) {
	var named []namedRow
	var plain []plainRow
	for i := range 6 {
		name := fmt.Sprintf("train/%s/%d.png", []string{"a", "b"}[i%2], i)
		if i == 2 {
			name = "2.png" // the last element alone
		}
		named = append(named, namedRow{name, madeRow(i)})
		var d []float64
		for _, v := range madeRow(i) {
			d = append(d, float64(v))
		}
		plain = append(plain, plainRow{d})
	}
	f, err := LoadFeatures(parquetFile(t, plain...), sixImages(), FeatureOptions{})
	isMade(t, "in order", f, err, 0, 0)
	slices.Reverse(named)
	f, err = LoadFeatures(parquetFile(t, named...), sixImages(), FeatureOptions{})
	isMade(t, "joined", f, err, 0, 0)
	f, err = LoadFeatures(parquetFile(t, append(slices.Clone(named[:4]), namedRow{"x.png", madeRow(9)}, namedRow{"train/a/0.png", nil})...), sixImages(), FeatureOptions{})
	isMade(t, "some missing", f, err, 2, 1)
	plain[3].Embedding = nil
	f, err = LoadFeatures(parquetFile(t, plain...), sixImages(), FeatureOptions{})
	isMade(t, "in order, one empty", f, err, 1, 0)

	bad := slices.Clone(named)
	bad[4].Features = slices.Clone(bad[4].Features)
	bad[4].Features[1] = float32(math.Inf(-1))
	short := slices.Clone(named)
	short[2].Features = short[2].Features[:3]
	for says, path := range map[string]string{
		"row 4: expected finite numbers, found -Inf in column 1": parquetFile(t, bad...),
		"row 2: expected 5 numbers, found 3":                     parquetFile(t, short...),
		"rows 0 and 6 are both of":                               parquetFile(t, append(slices.Clone(named), named[0])...),
		"none of the 6 images has any":                           parquetFile(t, namedRow{"y.png", madeRow(1)}),
		"5 rows for 6 training images":                           parquetFile(t, plain[:5]...),
		"expected a column of lists of numbers":                  parquetFile(t, struct{ Label int }{3}),
	} {
		if _, err := LoadFeatures(path, sixImages(), FeatureOptions{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, expected %q", err, says)
		}
	}
	other := filepath.Join(t.TempDir(), "f.csv")
	if _, err := LoadFeatures(other, sixImages(), FeatureOptions{}); err == nil || !strings.Contains(err.Error(), ".npy or .parquet") {
		t.Error(err)
	}
}

// Beside an image's bytes its path is its name, and rows are in order only for images that are no files.
func TestFeaturesBesideImages(t *testing.T) {
	var hub, pictures []hubRow
	for i := range 6 {
		hub = append(hub, hubRow{&hubImage{[]byte{1}, fmt.Sprint(5-i, ".png")}, madeRow(5 - i)})
		pictures = append(pictures, hubRow{nil, madeRow(i)})
	}
	for _, o := range []FeatureOptions{{}, {Image: "image"}} {
		f, err := LoadFeatures(parquetFile(t, hub...), sixImages(), o)
		isMade(t, "paths of images", f, err, 0, 0)
		for _, path := range []string{parquetFile(t, struct {
			Image    struct{ Bytes []byte } `parquet:"image"`
			Features []float32              `parquet:"features,list"`
		}{Features: madeRow(0)}), parquetFile(t, pictures...)} {
			if _, err := LoadFeatures(path, sixImages(), o); err == nil || !strings.Contains(err.Error(), "file name") {
				t.Errorf("no paths of images, %+v: %v", o, err)
			}
		}
	}
	rows := sixImages()
	for i := range rows.row {
		rows.row[i] = int32(i)
	}
	f, err := LoadFeatures(parquetFile(t, pictures...), rows, FeatureOptions{})
	isMade(t, "images that are no files", f, err, 0, 0)
}

// Lists with nulls, and more numbers than a file of its size has, are refused.
func TestHostileFeaturesInParquet(t *testing.T) {
	type holed struct {
		Embedding []*float32 `parquet:"embedding,list"`
	}
	one := float32(1)
	for at := range 3 { // a null in a list is no number, and moves no other
		rows := []holed{{[]*float32{&one, &one}}, {[]*float32{&one, &one}}, {[]*float32{&one, &one}}}
		rows[at].Embedding = []*float32{nil, &one}
		if _, err := LoadFeatures(parquetFile(t, rows...), sixImages(), FeatureOptions{}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("row %d: expected finite numbers", at)) {
			t.Errorf("a null in row %d: %v", at, err)
		}
	}
	type packed struct {
		Embedding []float32 `parquet:"embedding,list,dict"`
	}
	var bomb []packed // a run of equal numbers takes a few bytes
	for range 200 {
		bomb = append(bomb, packed{make([]float32, 10000)})
	}
	if _, err := LoadFeatures(parquetFile(t, bomb...), sixImages(), FeatureOptions{}); err == nil || !strings.Contains(err.Error(), "more than") && !strings.Contains(err.Error(), "values for") {
		t.Errorf("more numbers than a file of its size has: %v", err)
	}
}

// Names in the folders of the data lead to the images in these, written on Windows or not, and never to one of the same name in another
// folder. Rows of a table that name an image again have its features.
func TestFeaturesOfEqualNames(t *testing.T) {
	set := &Set{Height: 1, Width: 1, Classes: []string{"a", "b"}}
	for _, name := range []string{"train/a/1.png", "train/b/1.png", "train/b/2.png"} {
		set.add([]uint8{1, 2, 3}, 0, name, -1)
	}
	for _, c := range []struct {
		set   *Set
		names []string
		want  [3]int // the row of each image, −1 for none
	}{
		{set, []string{"b/1.png", "a/1.png", "2.png"}, [3]int{1, 0, 2}},
		{set, []string{`b\1.png`, `a\1.png`, `b\2.png`}, [3]int{1, 0, 2}},
		{set, []string{"./train/b/1.png", "/data/train/a/1.png", "/else/where/2.png"}, [3]int{1, 0, 2}},
		{set, []string{"1.png", "2.png"}, [3]int{-1, -1, 1}},
		{set, []string{"a/2.png", "b/1.png"}, [3]int{-1, 1, -1}}, // the image a/2.png may be left out of the set
	} {
		start := []int32{0, 1, 2}[:len(c.names)]
		by, err := joinFeatures(c.names, start, c.set)
		if err != nil || !slices.Equal(by.rows, []int32{int32(c.want[0]), int32(c.want[1]), int32(c.want[2])}) {
			t.Errorf("%q: %+v, expected %v: %v", c.names, by, c.want, err)
		}
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "img", "x.png"), dot(1))
	put(t, filepath.Join(dir, "img", "y.png"), dot(2))
	put(t, filepath.Join(dir, "train.csv"), []byte("path,label\nimg/x.png,a\nimg/y.png,b\nimg/x.png,a\n"))
	d, err := Load(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if by, err := joinFeatures([]string{"img/y.png", "img/x.png"}, []int32{0, 1}, d.Train); err != nil || !slices.Equal(by.rows, []int32{1, 0, 1}) {
		t.Errorf("rows %+v, %v", by, err)
	}
}
