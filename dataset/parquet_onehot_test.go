package dataset

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// hotRow is a row of Parquet whose labels are columns, as pandas writes them.
type hotRow struct {
	Image parquetImage `parquet:"image"`
	ID    int64        `parquet:"id"`
	Dog   bool         `parquet:"Dog"`
	Cat   bool         `parquet:"Cat"`
	Cow   bool         `parquet:"Cow"`
}

func putParquet[R any](t *testing.T, path string, rows []R) {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, parquet.MaxRowsPerRowGroup(2)); err != nil {
		t.Fatal(err)
	}
	put(t, path, b.Bytes())
}

// Rows are dropped, and ones change their columns; the others are as they were.
func TestOneHotParquetIsWritten(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "out")
	s := tinySet(8, false, 6, 0)
	var rows []hotRow
	for k, i := range s.train[:5] {
		rows = append(rows, hotRow{Image: parquetImage{Bytes: s.encoded(i)}, ID: int64(10 + k), Dog: k%2 == 0, Cat: k%2 == 1})
	}
	putParquet(t, filepath.Join(dir, "train.parquet"), rows)
	before := load(t, dir)
	if got := fmt.Sprint(before.Train.Classes, before.Train.Labels); got != "[Dog Cat Cow] [0 1 0 1 0]" {
		t.Fatalf("read as %s", got)
	}
	if notes := strings.Join(before.Notes, "\n"); !strings.Contains(notes, "the classes are the columns of 0 and 1 of train.parquet") {
		t.Errorf("notes: %s", notes)
	}
	if _, err := Correct(t.Context(), before, Options{}, []bool{true, false, false, false, false}, []int32{-1, -1, 2, 0, -1}, out); err != nil {
		t.Fatal(err)
	}
	got, err := parquet.ReadFile[hotRow](filepath.Join(out, "train.parquet"))
	if err != nil || len(got) != 4 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	rows[2].Dog, rows[2].Cow = false, true
	rows[3].Cat, rows[3].Dog = false, true
	for k, r := range got {
		want := rows[k+1]
		if r.ID != want.ID || r.Dog != want.Dog || r.Cat != want.Cat || r.Cow != want.Cow || !bytes.Equal(r.Image.Bytes, want.Image.Bytes) {
			t.Errorf("row %d: %d %v %v %v, expected %d %v %v %v", k, r.ID, r.Dog, r.Cat, r.Cow, want.ID, want.Dog, want.Cat, want.Cow)
		}
	}
}

// Columns that are no classes are not taken for such, and files that lack them are refused.
func TestOneHotParquetIsTold(t *testing.T) {
	s := tinySet(8, false, 6, 0)
	img := parquetImage{Bytes: s.encoded(s.train[0])}
	type aged struct {
		Image parquetImage `parquet:"image"`
		Dog   int64        `parquet:"Dog"`
		Cat   int64        `parquet:"Cat"`
		Age   int64        `parquet:"age"`
	}
	type parted struct {
		Image parquetImage `parquet:"image"`
		Dog   int64        `parquet:"Dog"`
		Cat   int64        `parquet:"Cat"`
		Part  string       `parquet:"part"`
	}
	type other struct {
		Image parquetImage `parquet:"image"`
		Dog   int64        `parquet:"Dog"`
		Cow   int64        `parquet:"Cow"`
	}
	for name, c := range map[string]struct {
		write func(dir string)
		want  string // classes and labels, or a part of the error
	}{
		"another column": {func(dir string) {
			putParquet(t, filepath.Join(dir, "train.parquet"), []aged{{img, 1, 0, 30}, {img, 0, 1, 1}})
		}, "expected a column of labels"},
		"parts": {func(dir string) {
			putParquet(t, filepath.Join(dir, "data.parquet"), []parted{{img, 1, 0, "train"}, {img, 0, 1, "train"}, {img, 0, 1, "test"}})
		}, "[Dog Cat] [0 1]"},
		"none": {func(dir string) {
			putParquet(t, filepath.Join(dir, "train.parquet"), []hotRow{{Image: img, Dog: true}, {Image: img}})
		}, "row 1: expected one 1 in the columns of classes, found none"},
		"another file": {func(dir string) {
			putParquet(t, filepath.Join(dir, "train-00000-of-00002.parquet"), []hotRow{{Image: img, Dog: true}, {Image: img, Cat: true}})
			putParquet(t, filepath.Join(dir, "train-00001-of-00002.parquet"), []other{{img, 1, 0}})
		}, `found none that is called "Cat"`},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		c.write(dir)
		d, err := Load(t.Context(), dir, Options{})
		if err != nil {
			if strings.HasPrefix(c.want, "[") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, expected %s", name, err, c.want)
			}
		} else if got := fmt.Sprint(d.Train.Classes, d.Train.Labels); got != c.want {
			t.Errorf("%s: %s, expected %s", name, got, c.want)
		}
	}
}
