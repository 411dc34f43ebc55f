package dataset

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// labelledRows writes a Parquet file of images of the values from first on with these labels, in a dictionary as most programs have them.
func labelledRows[L any](t *testing.T, path string, first int, labels ...L) {
	t.Helper()
	type row struct {
		Image []byte `parquet:"image"`
		Label L      `parquet:"label,dict"`
	}
	writeRows(t, path, labels, func(k int, l L) row { return row{dot(uint8(first + k)), l} })
}

func writeRows[L, R any](t *testing.T, path string, labels []L, row func(k int, l L) R) {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[R](&b)
	for k, l := range labels {
		if _, err := w.Write([]R{row(k, l)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, path, b.Bytes())
}

// A label is the number that its column's type makes of it: with a sign or without, with a point, or none.
func TestParquetLabelsOfAllTypes(t *testing.T) {
	type decimals struct {
		Image []byte `parquet:"image"`
		Label int32  `parquet:"label,decimal(2:9)"`
	}
	type dates struct {
		Image []byte `parquet:"image"`
		Label int32  `parquet:"label,date"`
	}
	asDecimals := func(labels ...int32) func(path string) {
		return func(path string) {
			writeRows(t, path, labels, func(k int, l int32) decimals { return decimals{dot(uint8(10 + k)), l} })
		}
	}
	for name, c := range map[string]struct {
		write func(path string)
		want  string // what is read, or a part of the error
	}{
		"8 bits":    {func(p string) { labelledRows[int8](t, p, 10, 0, 1, 2, -3) }, "-3:13 0:10 1:11 2:12"},
		"32 bits":   {func(p string) { labelledRows[int32](t, p, 10, 0, 1, -1) }, `found −1, which means none`},
		"64 bits":   {func(p string) { labelledRows[int64](t, p, 10, 0, 1, -1) }, `found −1, which means none`},
		"unsigned":  {func(p string) { labelledRows[uint32](t, p, 10, 0, math.MaxUint32) }, "0:10 4294967295:11"},
		"too large": {func(p string) { labelledRows[uint64](t, p, 10, 0, math.MaxUint64) }, "found the number 18446744073709551615"},
		"reals":     {func(p string) { labelledRows(t, p, 10, 0, 1.0) }, "0:10 1:11"},
		"no number": {func(p string) { labelledRows(t, p, 10, 0, 1, math.NaN()) }, "row 2: expected a label of [\"0\" \"1\"], found none"},
		"float32":   {func(p string) { labelledRows(t, p, 10, 0, 1, float32(math.NaN())) }, "row 2: expected a label of [\"0\" \"1\"], found none"},
		"decimals":  {asDecimals(100, -200), "-2:11 1:10"},
		"halves":    {asDecimals(100, 50), "found the number 0.50"},
		"times":     {func(p string) { labelledRows(t, p, 10, time.Unix(0, 0), time.Unix(1, 0)) }, "expected whole numbers or names for labels, found TIMESTAMP"},
		"dates": {func(p string) {
			writeRows(t, p, []int32{1, 2}, func(k int, l int32) dates { return dates{dot(uint8(10 + k)), l} })
		}, "expected whole numbers or names for labels, found DATE; --label COLUMN takes another column"},
	} {
		dir := t.TempDir()
		c.write(filepath.Join(dir, "train.parquet"))
		got := ""
		if d, err := Load(t.Context(), dir, Options{}); err != nil {
			got = err.Error()
		} else {
			got = shown(d.Train)
		}
		if got != c.want && (!strings.Contains(got, c.want) || strings.Contains(c.want, ":10 ")) {
			t.Errorf("%s: %s, expected %s", name, got, c.want)
		}
	}
}

// Test images whose labels are −1 have none, whatever their column's type is.
func TestHiddenParquetLabels(t *testing.T) {
	dir := t.TempDir()
	labelledRows[int32](t, filepath.Join(dir, "train.parquet"), 10, 0, 1)
	labelledRows[int32](t, filepath.Join(dir, "test.parquet"), 20, -1, -1)
	d, err := Load(t.Context(), dir, Options{})
	if err != nil || d.Unlabelled != 2 {
		t.Errorf("%+v, %v", d, err)
	}
}

// A label that an image gets has the type of its file's labels, also where files have several.
func TestCorrectParquetOfSeveralTypes(t *testing.T) {
	for name, c := range map[string]struct {
		second func(path string)
		want   string
	}{
		"as they are": {func(p string) { labelledRows[int8](t, p, 20, 1, 0, 1) }, ""},
		"text":        {func(p string) { labelledRows(t, p, 20, "1", "0", "1") }, ""},
		"text alone":  {func(p string) { labelledRows(t, p, 20, "2", "2") }, `no training image has the label "2" in a file whose labels are of the same type`},
		"reals alone": {func(p string) { labelledRows(t, p, 20, 2.0, 2.0) }, `no training image has the label "2" in a file whose labels are of the same type`},
	} {
		dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
		labelledRows[int64](t, filepath.Join(dir, "train-0.parquet"), 10, 0, 1, 0)
		c.second(filepath.Join(dir, "train-1.parquet"))
		d, err := Load(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		labels := make([]int32, d.Train.Len())
		for i := range labels {
			labels[i] = -1
		}
		labels[2], labels[3] = 1, 0
		if len(d.Train.Classes) == 3 {
			labels[2], labels[3] = 2, -1
		}
		_, err = Correct(context.Background(), d, Options{}, make([]bool, d.Train.Len()), labels, out)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, expected %q", name, err, c.want)
		}
	}
}
