package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Columns of zeros and ones are the classes where they are all that a table has beside its images; other tables without labels are none.
func TestOneHotTables(t *testing.T) {
	const no = "expected a column of labels"
	for name, c := range map[string]struct{ table, want, says string }{
		"ISIC":            {"image,MEL,NV,UNK\na,1.0,0.0,0.0\nb,0.0,1.0,0.0\nc,1.0,0.0,0.0\n", "MEL:1 MEL:3 NV:2", `the classes are the columns of 0 and 1 of t.csv, as it has no other column of labels: 3, such as ["MEL" "NV" "UNK"]`},
		"Roboflow":        {"filename, Dog, Cat\na.png, 1, 0\nb.png, 0, 1\nc.png, 0, 1\n", "Cat:2 Cat:3 Dog:1", `["Dog" "Cat"]`},
		"yes and no":      {"image;p;q\na.png;True;False\nb.png;false;true\n", "p:1 q:2", ""},
		"an id, an index": {",image_id,image,p,q\n0,i7,a.png,1,0\n1,i8,b.png,0,1\n", "p:1 q:2", ""},
		"parts":           {"image,p,q,fold\na.png,1,0,train\nb.png,0,1,train\nc.png,0,1,test\n", "p:1 q:2 | q:3", ""},
		"a part's":        {"image,p,q,is_valid\na.png,1,0,0\nb.png,0,1,0\nc.png,0,1,1\n", "p:1 q:2 | q:3", ""},
		"several, none":   {"image,p,q\na.png,1,0\nb.png,1,1\nc.png,0,0\n", "", `t.csv, row 2: expected one 1 in the columns of classes, found 2, such as in ["p" "q"]: images of several classes, or of none, are not read; leave such rows out`},
		"none":            {"image,p,q\na.png,1,0\nb.png,0,0\n", "", "row 2: expected one 1 in the columns of classes, found none: images"},
		"a gap":           {"image,p,q\na.png,1,0\nb.png,,1\n", "", `row 2: expected 0 or 1 in the column "p", found none`},
		"another number":  {"image,p,q\n" + strings.Repeat("a.png,1,0\n", lookedRows) + "b.png,0,2\n", "", `row 1001: expected 0 or 1 in the column "q", found "2"`},
		"one of each":     {"image,p,p\na.png,1,0\nb.png,0,1\n", "", no},
		"two of a name":   {"image,p,q, p\na.png,1,0,0\nb.png,0,1,0\n", "", `found two that are called "p"`},
		"other columns":   {"image,MEL,NV,age\na,1,0,7\nb,0,1,30\n", "", `take ["age"] out`},
		"no classes":      {"image,age,sex\na.png,1,0\nb.png,7,1\n", "", no},
		"one column":      {"image,is_train,old\na.png,1,0\nb.png,0,0\n", "", no},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		files(t, dir, "a.png=1", "b.png=2", "c.png=3", "t.csv="+c.table)
		for _, spec := range []string{dir, "table:" + dir, filepath.Join(dir, "t.csv")} {
			d, err := Load(t.Context(), spec, Options{})
			switch {
			case err != nil:
				if c.want != "" || !strings.Contains(err.Error(), c.says) || c.says == no && strings.Contains(err.Error(), "idxmax") {
					t.Errorf("%s: %s: %v", name, spec, err)
				}
			case strings.TrimSuffix(shown(d.Train)+" | "+shown(d.Test), " | none") != c.want || !strings.Contains(strings.Join(d.Notes, "\n"), c.says):
				t.Errorf("%s: %s: %s | %s; the notes are %q", name, spec, shown(d.Train), shown(d.Test), d.Notes)
			}
		}
	}
}

// JSON has its keys in an order, too.
func TestOneHotLines(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	lines := `{"image":"a.png","z":true,"b":false,"note":null}` + "\n" + `{"b":1.0,"image":"b.png","z":0.0}` + "\n"
	files(t, dir, "a.png=1", "b.png=2", "c.png=3", "t.jsonl="+lines+`{"z":0,"b":1,"image":"c.png"}`+"\n")
	d := load(t, dir)
	if got := shown(d.Train); got != "b:2 b:3 z:1" || !slices.Equal(d.Train.Classes, []string{"z", "b"}) {
		t.Errorf("%s, %q", got, d.Train.Classes)
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Correct(t.Context(), d, Options{}, make([]bool, 3), []int32{1, 0, -1}, out); err != nil {
		t.Fatal(err)
	}
	want := `{"image":"a.png","z":false,"b":true,"note":null}` + "\n" + `{"b":0.0,"image":"b.png","z":1.0}` + "\n" + `{"z":0,"b":1,"image":"c.png"}` + "\n"
	if got := string(testfile.Read(t, filepath.Join(out, "t.jsonl"))); got != want {
		t.Errorf("%s, expected %s", got, want)
	}
	for row, says := range map[string]string{
		`{"z":1,"image":"c.png"}`:                 `row 3: expected the columns of classes that the first table has, and no other ones, found none that is called "b"`,
		`{"z":1,"b":0,"d":"x","image":"c.png"}`:   "expected a column of labels",
		`{"z":1,"b":[1,0],"image":"c.png"}`:       "expected a column of labels",
		`{"z":"0","b":"0.0","image":"c.png"}`:     "row 3: expected one 1 in the columns of classes, found none",
		`{"z":0,"b":1,"label":1,"image":"a.png"}`: "expected a column of labels",
	} {
		put(t, filepath.Join(dir, "t.jsonl"), []byte(lines+row+"\n"))
		if _, err := Load(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", row, err)
		}
	}
}

// Rows are dropped, and ones change their columns, without another byte of the table.
func TestOneHotTablesAreWritten(t *testing.T) {
	for _, c := range [][2]string{
		{"filename, Dog, Cat\r\na.png, 1, 0\r\nb.png, 0, 1\r\nc.png, 1, 0", "filename, Dog, Cat\r\nb.png, 1, 0\r\nc.png, 1, 0"},
		{"image;MEL;NV\na;1.0;0.0\nb;0.0;1.0\nc;1.0;0.0\n", "image;MEL;NV\nb;1.0;0.0\nc;1.0;0.0\n"},
		{"image,\"A, B\",C\n\"a.png\",1,0\n\"b.png\",0,1\nc.png,1,0\n", "image,\"A, B\",C\nb.png,1,0\nc.png,1,0\n"},
	} {
		dir, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "out")
		files(t, dir, "a.png=1", "b.png=2", "c.png=3", "t.csv="+c[0])
		if _, err := Correct(t.Context(), load(t, dir), Options{}, []bool{true, false, false}, []int32{-1, 0, -1}, out); err != nil {
			t.Errorf("%q: %v", c[0], err)
			continue
		}
		if got := string(testfile.Read(t, filepath.Join(out, "t.csv"))); got != c[1] {
			t.Errorf("%q, expected %q", got, c[1])
		}
	}
}

// Roboflow's parts have a table each in their folders; images of the test are not those of the training, whose names they may share.
func TestOneHotTablesOfParts(t *testing.T) {
	const head = "filename, Dog, Cat\n"
	for name, c := range map[string]struct {
		tables map[string]string
		want   string
		says   string
	}{
		"three":            {map[string]string{"train": head + "a.png, 1, 0\nb.png, 0, 1\n", "valid": head + "a.png, 0, 1\n", "test": head + "b.png, 1, 0\n"}, "Cat:11 Dog:10 | Dog:31", "valid/_classes.csv is not read, as test/_classes.csv holds the test images"},
		"no test":          {map[string]string{"train": head + "a.png, 1, 0\nb.png, 0, 1\n", "valid": head + "a.png, 0, 1\n"}, "Cat:11 Dog:10 | Cat:20", ""},
		"another order":    {map[string]string{"train": head + "a.png, 1, 0\nb.png, 0, 1\n", "test": "filename, Cat, Dog\nb.png, 1, 0\n"}, "Cat:11 Dog:10 | Cat:31", ""},
		"no labels":        {map[string]string{"train": head + "a.png, 1, 0\nb.png, 0, 1\n", "test": "filename\nb.png\n"}, "Cat:11 Dog:10 | none", "have no labels"},
		"another class":    {map[string]string{"train": head + "a.png, 1, 0\nb.png, 0, 1\n", "test": "filename, Dog, Cat, Cow\nb.png, 1, 0, 0\n"}, "", `test/_classes.csv: expected the columns of classes that the first table has, and no other ones, found "Cow" too`},
		"a class is gone":  {map[string]string{"train": head + "a.png, 1, 0\nb.png, 0, 1\n", "test": "filename, Dog\nb.png, 1\n"}, "", `found none that is called "Cat"`},
		"several of a row": {map[string]string{"train": head + "a.png, 1, 0\nb.png, 0, 1\n", "test": head + "b.png, 1, 1\n"}, "", "test/_classes.csv, row 1: expected one 1 in the columns of classes, found 2"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		for k, part := range []string{"train", "valid", "test"} {
			files(t, filepath.Join(dir, part), fmt.Sprintf("a.png=%d", 10*(k+1)), fmt.Sprintf("b.png=%d", 10*(k+1)+1))
			if text := c.tables[part]; text != "" {
				put(t, filepath.Join(dir, part, "_classes.csv"), []byte(text))
			}
		}
		put(t, filepath.Join(dir, "README.roboflow.txt"), []byte("Dogs\n"))
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

// Tables of such columns in folders of parts that are not read are named.
func TestOneHotTablesThatAreNotRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	files(t, dir, "a.png=1", "b.png=2", "t.csv=image,p,q\na.png,1,0\nb.png,0,1\n", "test/c.png=3", "test/_classes.csv=image,p,q\nc.png,1,0\n")
	if d := load(t, dir); shown(d.Train) != "p:1 q:2" || !strings.Contains(strings.Join(d.Notes, "\n"), "1 tables are not read: test/_classes.csv") {
		t.Errorf("%s; the notes are %q", shown(d.Train), d.Notes)
	}
}

// Columns of zeros and ones beside folders of classes may say something else: the folders are read.
func TestOneHotTablesBesideFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	files(t, dir, "cat/a.png=1", "dog/b.png=2", "t.csv=image,dark,light\ncat/a.png,1,0\ndog/b.png,1,0\n")
	d := load(t, dir)
	if got := shown(d.Train); got != "cat:1 dog:2" || !strings.Contains(strings.Join(d.Notes, "\n"), "t.csv is not read: there are folders of classes") {
		t.Errorf("%s, %q", got, d.Notes)
	}
	if d, err := Load(t.Context(), "table:"+dir, Options{}); err != nil || shown(d.Train) != "dark:1 dark:2" {
		t.Errorf("%v, %v", d, err)
	}
}
