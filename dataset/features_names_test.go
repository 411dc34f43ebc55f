package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A name that says another part of the data is none of a training image; a class may be called as a part is.
func TestFeaturesOfOtherParts(t *testing.T) {
	for _, c := range []struct {
		folder string
		images []string // the parent of each is its class
		names  []string
		want   []int32 // the row of each image, −1 for none
	}{
		{"data", []string{"train/a/0.png", "train/b/1.png"}, []string{"test/a/0.png", "test/b/1.png"}, []int32{-1, -1}},
		{"data", []string{"train/a/0.png", "train/b/1.png"}, []string{"/d/validation/a/0.png", `C:\d\Testing\b\1.png`}, []int32{-1, -1}},
		{"data", []string{"train/a/0.png"}, []string{"test/a/0.png", "train/a/0.png"}, []int32{1}},
		{"data", []string{"train/a/0.png"}, []string{"/d/test/a/0.png", "/d/train/a/0.png", "/d/val/a/0.png"}, []int32{1}},
		{"data", []string{"train/a/0.png"}, []string{"test/0.png", "train/0.png"}, []int32{1}},
		{"data", []string{"train/a/0.png"}, []string{"a/0.png"}, []int32{0}},
		{"data", []string{"train/a/0.png"}, []string{"/home/dev/data/train/a/0.png"}, []int32{0}},
		{"data", []string{"train/a/0.png"}, []string{"/test/other/train/a/0.png"}, []int32{0}},
		{"data", []string{"seg_train/a/0.png"}, []string{"/d/seg_test/a/0.png", "/d/seg_train/a/0.png"}, []int32{1}},
		{"data", []string{"train.zip/a/0.png"}, []string{"test.zip/a/0.png"}, []int32{-1}},
		{"train", []string{"a/0.png"}, []string{"test/a/0.png", "train/a/0.png"}, []int32{1}},
		{"photos", []string{"a/0.png"}, []string{"test/a/0.png"}, []int32{-1}},
		{"photos", []string{"a/0.png"}, []string{"/home/dev/photos/a/0.png"}, []int32{0}},
		{"test", []string{"a/0.png"}, []string{"test/a/0.png", "train/a/0.png"}, []int32{0}},
		{"data", []string{"train/train/0.png", "train/test/1.png"}, []string{"test/train/0.png", "/d/train/test/1.png"}, []int32{-1, 1}},
		{"vehicles", []string{"train/0.png"}, []string{"test/train/0.png", "train/train/0.png"}, []int32{1}},
	} {
		set := &Set{Height: 1, Width: 1, folder: c.folder}
		for _, name := range c.images {
			class := parent(name)
			if !slices.Contains(set.Classes, class) {
				set.Classes = append(set.Classes, class)
			}
			set.add([]uint8{1, 2, 3}, int32(slices.Index(set.Classes, class)), name, -1)
		}
		start := []int32{0, 1, 2}[:len(c.names)]
		by, err := joinFeatures(c.names, start, set)
		if err != nil || !slices.Equal(by.rows, c.want) {
			t.Errorf("%s: %q for %q: %+v, expected %v: %v", c.folder, c.names, c.images, by, c.want, err)
		}
	}
	var rows []namedRow
	for i := range 6 {
		rows = append(rows, namedRow{fmt.Sprintf("test/%s/%d.png", []string{"a", "b"}[i%2], i), madeRow(i)})
	}
	if _, err := LoadFeatures(parquetFile(t, rows...), sixImages(), FeatureOptions{}); err == nil || !strings.Contains(err.Error(), `names such as "test/a/0.png" are of another part`) {
		t.Errorf("features of the test images: %v", err)
	}
}

// Images that are read know the folder that they lie in.
func TestFeaturesOfOnePart(t *testing.T) {
	dir := t.TempDir()
	for _, part := range []string{"train", "test"} {
		put(t, filepath.Join(dir, part, "a", "0.png"), dot(1))
		put(t, filepath.Join(dir, part, "b", "1.png"), dot(2))
	}
	for _, part := range []string{"train", "test"} {
		d, err := Load(t.Context(), filepath.Join(dir, part), Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := LoadFeatures(parquetFile(t, namedRow{"train/a/0.png", []float32{1}}, namedRow{"test/a/0.png", []float32{2}}), d.Train.View([]int{0, 1}), FeatureOptions{})
		if want := map[string]float32{"train": 1, "test": 2}[part]; err != nil || len(f.At(0)) == 0 || f.At(0)[0] != want {
			t.Errorf("%s: %+v, %v", part, f, err)
		}
	}
}

// How rows were joined is said; names in a column of any name are found.
func TestFeaturesSayHowTheyAreJoined(t *testing.T) {
	type row struct {
		Embedding []float32 `parquet:"embedding,list"`
		Label     string    `parquet:"label"`
		Name      string    `parquet:"name"`
	}
	type twoNames struct {
		Embedding   []float32 `parquet:"embedding,list"`
		Name, Other string
	}
	var named, unnamed []row
	var two []twoNames
	for i := range 6 {
		name := fmt.Sprintf("%s/%d.png", []string{"a", "b"}[i%2], i)
		named = append(named, row{madeRow(i), "cat", name})
		unnamed = append(unnamed, row{madeRow(i), "cat", fmt.Sprint("someone ", i)})
		two = append(two, twoNames{madeRow(i), name, "train/" + name})
	}
	twice := append(slices.Clone(named), row{madeRow(0), "cat", "a/0.png"})
	slices.Reverse(named)
	f, err := LoadFeatures(parquetFile(t, named...), sixImages(), FeatureOptions{})
	if isMade(t, "a column of another name", f, err, 0, 0); err == nil && !strings.Contains(f.Note, `by the column "name"`) {
		t.Error(f.Note)
	}
	f, err = LoadFeatures(parquetFile(t, unnamed...), sixImages(), FeatureOptions{})
	if isMade(t, "in order", f, err, 0, 0); err == nil && (!strings.Contains(f.Note, "in their order") || !strings.Contains(f.Note, `"name" is not used`)) {
		t.Error(f.Note)
	}
	if _, err := LoadFeatures(parquetFile(t, two...), sixImages(), FeatureOptions{}); err == nil || !strings.Contains(err.Error(), "--features-image COLUMN says which") {
		t.Errorf("two columns of names: %v", err)
	}
	if _, err := LoadFeatures(parquetFile(t, twice...), sixImages(), FeatureOptions{}); err == nil || !strings.Contains(err.Error(), `rows 0 and 6 are both of "a/0.png"`) {
		t.Errorf("a name twice: %v", err)
	}
	f, err = LoadFeatures(parquetFile(t, namedRow{"train/a/0.png", madeRow(0)}), sixImages(), FeatureOptions{})
	if isMade(t, "a usual name", f, err, 5, 0); err == nil && !strings.HasPrefix(f.Note, `the features' rows are joined to images by the column "file_name"; 5 of 6`) {
		t.Error(f.Note)
	}
}
