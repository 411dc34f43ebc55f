package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One table may list the images of all parts: its rows are parted, or it is refused.
func TestTableOfAllParts(t *testing.T) {
	const flat = "train/1.png=1 train/2.png=2 test/3.png=3"
	for name, c := range map[string]struct{ images, table, want string }{
		"by folders":           {flat, "t.csv=file,label\ntrain/1.png,x\ntest/3.png,y\ntrain/2.png,y\n", "x:1 y:2 | y:3"},
		"by folders of names":  {flat, "t.csv=file,label\n1.png,x\n3.png,y\n2.png,y\n", "x:1 y:2 | y:3"},
		"of classes":           {"train/x/1.png=1 train/y/2.png=2 val/y/3.png=3", "t.csv=file,label\ntrain/x/1.png,x\ntrain/y/2.png,y\nval/y/3.png,y\n", "x:1 y:2 | y:3"},
		"below the table":      {"data/train/1.png=1 data/train/2.png=2 data/test/3.png=3", "data/t.csv=file,label\ntrain/1.png,x\ntest/3.png,y\ntrain/2.png,y\n", "x:1 y:2 | y:3"},
		"by a column":          {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,Split\na.png,x,train\nb.png,y,TRAIN\nc.png,y,test\n", "x:1 y:2 | y:3"},
		"in JSON":              {"a.png=1 b.png=2 c.png=3", "t.jsonl={\"file\":\"a.png\",\"label\":\"x\",\"split\":\"train\"}\n{\"file\":\"b.png\",\"label\":\"y\",\"split\":\"train\"}\n{\"file\":\"c.png\",\"label\":\"y\",\"split\":\"valid\"}\n", "x:1 y:2 | y:3"},
		"a column of others":   {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,set\na.png,x,1\nb.png,y,1\nc.png,y,2\n", "x:1 y:2 y:3 | "},
		"with blanks":          {"a.png=1 b.png=2 c.png=3", "t.csv=file,label, split\na.png,x, train\nb.png,y, train \nc.png,y, test\n", "x:1 y:2 | y:3"},
		"the surer name":       {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,set,split\na.png,x,1,train\nb.png,y,test,train\nc.png,y,train,test\n", "x:1 y:2 | y:3"},
		"another name":         {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,Dataset_type\na.png,x,TRAIN\nb.png,y,TRAIN\nc.png,y,TEST\n", "x:1 y:2 | y:3"},
		"another use":          {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,room\na.png,x,train\nb.png,y,test\nc.png,y,bath\n", "x:1 y:2 y:3 | "},
		"yes and no":           {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,is_valid\na.png,x,False\nb.png,y,False\nc.png,y,True\n", "x:1 y:2 | y:3"},
		"no and yes in JSON":   {"a.png=1 b.png=2 c.png=3", "t.jsonl={\"file\":\"a.png\",\"label\":\"x\",\"isTrain\":true}\n{\"file\":\"b.png\",\"label\":\"y\",\"isTrain\":true}\n{\"file\":\"c.png\",\"label\":\"y\",\"isTrain\":false}\n", "x:1 y:2 | y:3"},
		"twice the same":       {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,is_train,is_test\na.png,x,1,0\nb.png,y,1,0\nc.png,y,0,1\n", "x:1 y:2 | y:3"},
		"twice":                {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,old,new\na.png,x,train,train\nb.png,y,test,train\nc.png,y,train,test\n", `t.csv: the columns "new" and "old" both say`},
		"deeper folders":       {"i/train/1.png=1 i/train/2.png=2 i/test/3.png=3", "t.csv=file,label\ni/train/1.png,x\ni/train/2.png,y\ni/test/3.png,y\n", "x:1 y:2 | y:3"},
		"names in deeper ones": {"i/train/1.png=1 i/train/2.png=2 i/val/1.png=3 i/val/2.png=4", "train.csv=file,label\n1.png,x\n2.png,y\n", "x:1 y:2 | "},
		"no word":              {"a.png=1 b.png=2 c.png=3", "t.csv=file,label,split\na.png,x,train\nb.png,y,other\nc.png,y,test\n", "row 2 of t.csv"},
		"another folder":       {flat + " more/4.png=4", "t.csv=file,label\ntrain/1.png,x\ntest/3.png,y\ntrain/2.png,y\nmore/4.png,x\n", "row 4 of t.csv"},
		"no file":              {flat, "t.csv=file,label\ntrain/1.png,x\ntest/3.png,y\ntrain/2.png,y\ntest/9.png,x\n", "row 4: expected a readable file"},
		"a table of a part":    {flat, "train.csv=file,label\ntrain/1.png,x\ntest/3.png,y\ntrain/2.png,y\n", "x:1 y:2 y:3 | "},
		"a nameless column":    {"a.png=1 b.png=2", "t.csv=,file,label\ntrain,a.png,x\ntest,b.png,y\n", "x:1 y:2 | "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			files(t, dir, append(strings.Fields(c.images), c.table)...)
			d, err := Load(context.Background(), dir, Options{})
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Error(err)
				}
				return
			}
			test := ""
			if d.Test != nil {
				test = shown(d.Test)
			}
			if got := shown(d.Train) + " | " + test; got != c.want {
				t.Errorf("%s, expected %s", got, c.want)
			}
			if said := strings.Contains(strings.Join(d.Notes, "\n"), "lists images of several parts"); said != (test != "") {
				t.Errorf("the notes are %q", d.Notes)
			}
		})
	}
	dir := filepath.Join(t.TempDir(), "data")
	files(t, dir, "train/1.png=1", "train/2.png=2", "train/4.png=4", "test/3.png=3", "t.csv=file,label\ntest/3.png,y\ntrain/1.png,x\ntrain/2.png,y\ntrain/4.png,y\n")
	_, _, out := filtered(t, dir, 1)
	if raw, err := os.ReadFile(filepath.Join(out, "t.csv")); err != nil || string(raw) != "file,label\ntest/3.png,y\ntrain/1.png,x\ntrain/4.png,y\n" {
		t.Errorf("%q, %v", raw, err)
	}
}

// A column that may part the rows, and does not, is said.
func TestColumnsThatPartNothing(t *testing.T) {
	for name, c := range map[string]struct{ files, want string }{
		"numbers":       {"t.csv=file,label,partition\na.png,x,0\nb.png,y,1\nc.png,y,2\n", `the column "partition" says ["0" "1" "2"]`},
		"other words":   {"t.csv=file,label,Split\na.png,x,learn\nb.png,y,learn\nc.png,y,test\n", `the column "Split" says ["learn" "test"]`},
		"one word":      {"t.csv=file,label,split\na.png,x,all\nb.png,y,all\nc.png,y,all\n", ""},
		"another table": {"train.csv=file,label,split\na.png,x,train\nb.png,y,train\nc.png,y,val\n test.csv=file,label\nd.png,x\n", `as other tables hold the test images, although its column "split" names other parts`},
	} {
		dir := files(t, filepath.Join(t.TempDir(), "data"), "a.png=1", "b.png=2", "c.png=3", "d.png=4")
		for _, file := range strings.Split(c.files, " ") {
			files(t, dir, file)
		}
		d := load(t, dir)
		if notes := strings.Join(d.Notes, "\n"); shown(d.Train) != "x:1 y:2 y:3" || c.want == "" && notes != "" || !strings.Contains(notes, c.want) {
			t.Errorf("%s: %s, %q", name, shown(d.Train), d.Notes)
		}
	}
}

// A table with a row an object is none of images; that an image is there under two labels is no fault of a table.
func TestTableOfObjects(t *testing.T) {
	var many, few strings.Builder
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf("%d.png=%d", i, i))
		fmt.Fprintf(&many, "%d.png,x\n%d.png,y\n", i, i)
		fmt.Fprintf(&few, "%d.png,%c\n", i, 'x'+rune(i%2))
	}
	for table, want := range map[string]string{
		"file,label,xmin\n0.png,x,1\n0.png,y,3\n1.png,y,2\n": "1 of 2 images have several labels, such as 0.png is",
		"file,label,xmin\n0.png,x,1\n1.png,y,2\n1.png,y,3\n": "",
		"file,label\n" + many.String():                       "20 of 20 images have several labels",
		"file,label\n" + few.String() + "0.png,y\n":          "",
	} {
		dir := files(t, t.TempDir(), append(all, "t.csv="+table)...)
		_, err := Load(context.Background(), dir, Options{SkipBad: true})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", table, err)
		}
	}
}
