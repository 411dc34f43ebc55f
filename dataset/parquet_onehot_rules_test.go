package dataset

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// hotFile writes a Parquet file of images 1, 2, … and these columns, which the schema has in the order of their names.
func hotFile(t *testing.T, path string, first int, columns parquet.Group, rows ...map[string]any) {
	t.Helper()
	g := parquet.Group{"image": parquet.Leaf(parquet.ByteArrayType)}
	for name, node := range columns {
		g[name] = node
	}
	schema := parquet.NewSchema("rows", g)
	var b strings.Builder
	w := parquet.NewGenericWriter[any](&b, schema)
	for k, r := range rows {
		var row parquet.Row
		for i, c := range schema.Columns() {
			v := parquet.ValueOf(r[c[0]])
			if c[0] == "image" {
				v = parquet.ValueOf(dot(uint8(first + k)))
			}
			level := 0
			if leaf, _ := schema.Lookup(c...); leaf.MaxDefinitionLevel > 0 && !v.IsNull() {
				level = 1
			}
			row = append(row, v.Level(0, level, i))
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
		if k%2 == 1 { // several row groups
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, path, []byte(b.String()))
}

type cells = map[string]any

// Columns of zeros and ones are the classes in Parquet by the rules of tables.
func TestOneHotParquet(t *testing.T) {
	yes, whole, text, real := parquet.Leaf(parquet.BooleanType), parquet.Int(64), parquet.String(), parquet.Leaf(parquet.DoubleType)
	for name, c := range map[string]struct {
		columns    parquet.Group
		rows       []map[string]any
		want, says string
	}{
		"yes and no":     {parquet.Group{"p": yes, "q": yes}, []cells{{"p": true, "q": false}, {"p": false, "q": true}, {"p": true, "q": false}}, "p:1 p:3 q:2", `the classes are the columns of 0 and 1 of train.parquet, as it has no other column of labels: 2, such as ["p" "q"]`},
		"numbers":        {parquet.Group{"p": whole, "q": parquet.Uint(8)}, []cells{{"p": int64(1), "q": int32(0)}, {"p": int64(0), "q": int32(1)}}, "p:1 q:2", ""},
		"text":           {parquet.Group{"p": text, "q": text}, []cells{{"p": "1.0", "q": "0"}, {"p": "False", "q": "TRUE"}}, "p:1 q:2", ""},
		"ids, an index":  {parquet.Group{"p": yes, "q": yes, "__index_level_0__": whole, "image_id": text, "file_name": text}, []cells{{"p": true, "q": false, "__index_level_0__": int64(0), "image_id": "x", "file_name": "x.png"}, {"p": false, "q": true, "__index_level_0__": int64(1), "image_id": "y", "file_name": "y.png"}}, "p:1 q:2", ""},
		"parts":          {parquet.Group{"p": yes, "q": yes, "fold": text}, []cells{{"p": true, "q": false, "fold": "train"}, {"p": false, "q": true, "fold": "train"}, {"p": false, "q": true, "fold": "test"}}, "p:1 q:2 | q:3", ""},
		"several":        {parquet.Group{"p": yes, "q": yes}, []cells{{"p": true, "q": false}, {"p": false, "q": true}, {"p": true, "q": true}}, "", `train.parquet, row 2: expected one 1 in the columns of classes, found 2, such as in ["p" "q"]: images of several classes, or of none`},
		"a gap":          {parquet.Group{"p": parquet.Optional(yes), "q": yes}, []cells{{"p": true, "q": false}, {"p": nil, "q": true}}, "", `row 1: expected 0 or 1 in the column "p", found none`},
		"not a number":   {parquet.Group{"p": real, "q": real}, []cells{{"p": 1.0, "q": 0.0}, {"p": 0.0, "q": math.NaN()}}, "", `row 1: expected 0 or 1 in the column "q", found none`},
		"other columns":  {parquet.Group{"p": yes, "q": yes, "age": whole}, []cells{{"p": true, "q": false, "age": int64(30)}, {"p": false, "q": true, "age": int64(7)}}, "", `with one 1 in 2 of the first 2 rows. They are read as labels where no others are beside them: take ["age"] out`},
		"lists":          {parquet.Group{"p": yes, "q": yes, "r": parquet.List(whole)}, []cells{{"p": true, "q": false}, {"p": false, "q": true}}, "", `take ["r"] out`},
		"placed points":  {parquet.Group{"p": parquet.Decimal(2, 9, parquet.Int32Type), "q": yes}, []cells{{"p": int32(1), "q": false}, {"p": int32(0), "q": true}}, "", `expected a column of labels`},
		"a label":        {parquet.Group{"p": yes, "q": yes, "label": text}, []cells{{"p": true, "q": false, "label": "b"}, {"p": false, "q": true, "label": "a"}}, "a:2 b:1", ""},
		"another number": {parquet.Group{"p": whole, "q": whole}, append(slices.Repeat([]cells{{"p": int64(1), "q": int64(0)}}, lookedRows), cells{"p": int64(0), "q": int64(2)}), "", `row 1000: expected 0 or 1 in the column "q", found "2"`},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		hotFile(t, filepath.Join(dir, "train.parquet"), 1, c.columns, c.rows...)
		d, err := Load(t.Context(), dir, Options{})
		switch {
		case err != nil:
			if c.want != "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
		case strings.TrimSuffix(shown(d.Train)+" | "+shown(d.Test), " | none") != c.want || !strings.Contains(strings.Join(d.Notes, "\n"), c.says):
			t.Errorf("%s: %s | %s; the notes are %q", name, shown(d.Train), shown(d.Test), d.Notes)
		}
	}
}

// The files of a set have the same columns of classes, in any order and of any type.
func TestOneHotParquetOfParts(t *testing.T) {
	yes := parquet.Leaf(parquet.BooleanType)
	for name, c := range map[string]struct {
		columns    parquet.Group
		row        map[string]any
		want, says string
	}{
		"another type":    {parquet.Group{"p": parquet.Int(64), "q": parquet.Int(64)}, cells{"p": int64(0), "q": int64(1)}, "p:1 q:2 | q:9", ""},
		"no labels":       {parquet.Group{}, cells{}, "p:1 q:2 | none", "have no labels"},
		"another class":   {parquet.Group{"p": yes, "q": yes, "r": yes}, cells{"p": false, "q": true, "r": false}, "", `test.parquet: expected the columns of classes that the first table has, and no other ones, found "r" too`},
		"a class is gone": {parquet.Group{"p": yes}, cells{"p": true}, "", `found none that is called "q"`},
		"no cell":         {parquet.Group{"p": yes, "q": parquet.Leaf(parquet.ByteArrayType)}, cells{"p": true, "q": []byte("0")}, "", `expected 0 and 1 in the column "q", found values of another type`},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		hotFile(t, filepath.Join(dir, "train.parquet"), 1, parquet.Group{"p": yes, "q": yes}, cells{"p": true, "q": false}, cells{"p": false, "q": true})
		hotFile(t, filepath.Join(dir, "test.parquet"), 9, c.columns, c.row)
		d, err := Load(t.Context(), dir, Options{})
		switch {
		case err != nil:
			if c.want != "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
		case shown(d.Train)+" | "+shown(d.Test) != c.want || !strings.Contains(strings.Join(d.Notes, "\n"), c.says):
			t.Errorf("%s: %s | %s; the notes are %q", name, shown(d.Train), shown(d.Test), d.Notes)
		}
	}
}

// Rows are dropped, and ones change their columns, which keep their types.
func TestOneHotParquetOfTypesIsWritten(t *testing.T) {
	yes, whole := parquet.Leaf(parquet.BooleanType), parquet.Int(64)
	for name, c := range map[string]struct {
		columns  parquet.Group
		zero     any
		one      any
		mixed    bool
		expected string
	}{
		"yes and no":    {parquet.Group{"p": yes, "q": parquet.Optional(yes)}, false, true, false, "p:3 p:4 q:2 q:5"},
		"numbers":       {parquet.Group{"p": whole, "q": whole}, int64(0), int64(1), false, "p:3 p:4 q:2 q:5"},
		"several types": {parquet.Group{"p": whole, "q": yes}, int64(0), int64(1), true, "of the types INT64 and BOOLEAN; write all of them with one type"},
	} {
		dir, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "out")
		p, q := cells{"p": c.one, "q": c.zero}, cells{"p": c.zero, "q": c.one}
		if c.mixed {
			p["q"], q["q"] = false, true
		}
		hotFile(t, filepath.Join(dir, "train.parquet"), 1, c.columns, p, p, p, q, q)
		_, err := Correct(t.Context(), load(t, dir), Options{}, []bool{true, false, false, false, false}, []int32{-1, 1, -1, 0, -1}, out)
		if got := ""; err != nil {
			if !strings.Contains(err.Error(), c.expected) {
				t.Errorf("%s: %v", name, err)
			}
		} else if got = shown(load(t, out).Train); got != c.expected {
			t.Errorf("%s: %s, expected %s", name, got, c.expected)
		}
	}
}

// Columns of zeros and ones beside folders of classes may say something else: the folders are read.
func TestOneHotParquetBesideFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	files(t, dir, "cat/a.png=1", "dog/b.png=2")
	yes := parquet.Leaf(parquet.BooleanType)
	hotFile(t, filepath.Join(dir, "more.parquet"), 1, parquet.Group{"p": yes, "q": yes}, cells{"p": true, "q": false}, cells{"p": false, "q": true})
	d := load(t, dir)
	if got := shown(d.Train); got != "cat:1 dog:2" || !strings.Contains(strings.Join(d.Notes, "\n"), "more.parquet is not read: there are folders of classes, and its columns of 0 and 1 may be none; parquet:") {
		t.Errorf("%s, %q", got, d.Notes)
	}
	if d, err := Load(t.Context(), "parquet:"+dir, Options{}); err != nil || shown(d.Train) != "p:1 q:2" {
		t.Errorf("%v, %v", d, err)
	}
}
