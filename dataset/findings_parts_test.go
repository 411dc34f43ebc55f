package dataset

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is left out of a data set, and what is of no use in it, is said.
func TestWhatIsLeftOutIsSaid(t *testing.T) {
	const head = "Filename;ClassId\n"
	gtsrb := "Final_Training/Images/00000/a.png=1 Final_Training/Images/00001/b.png=2 "
	tables := map[string]string{"Final_Training/Images/00000/GT-00000.csv": head + "a.png;0\n", "Final_Training/Images/00001/GT-00001.csv": head + "b.png;1\n"}
	test := map[string]string{"GT-final_test.csv": head + "t.png;1\n"}
	for name, text := range tables {
		test[name] = text
	}
	record := func(class string) string { return class + strings.Repeat("x", 3072) }
	idx := func(dims string, data string) string { return "\x00\x00\x08" + dims + data }
	mnist := map[string]string{
		"MNIST/raw/train-images-idx3-ubyte": idx("\x03\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01", "\x01\x02"),
		"MNIST/raw/train-labels-idx1-ubyte": idx("\x01\x00\x00\x00\x02", "\x00\x01"),
	}
	for name, c := range map[string]struct {
		images string
		more   map[string]string
		want   string // the images
		note   string
	}{
		"GTSRB":                 {gtsrb, tables, "00000:1 00001:2 | ", ""},
		"GTSRB, one more":       {gtsrb + "Final_Training/Images/00001/c.png=3", tables, "00000:1 00001:2 | ", "1 images of Final_Training/Images/ are in no table and are not read"},
		"GTSRB, no table":       {gtsrb + "Final_Test/Images/t.png=3", tables, "00000:1 00001:2 | ", "the 1 images of Final_Test/Images/ are not read"},
		"GTSRB, a table beside": {gtsrb + "Final_Test/Images/t.png=3", test, "00000:1 00001:2 | 00001:3", ""},
		"a table of no test":    {"train/x/a.png=1 train/y/b.png=2 test/x/c.png=3", map[string]string{"train.csv": "file,label\ntrain/x/a.png,x\ntrain/y/b.png,y\n"}, "x:1 y:2 | ", "test/ is not read, as train.csv names none of its images"},
		"a test of no class":    {"train/x/a.png=1 train/y/b.png=2 test/images/c.png=3", nil, "x:1 y:2 | ", "the 1 images of test/ have no labels"},
		"a test of one class":   {"train/x/a.png=1 train/y/b.png=2 test/y/c.png=3", nil, "x:1 y:2 | y:3", ""},
		"MNIST of torchvision":  {"", mnist, "0:1 1:2 | ", ""},
		"a copy of a batch":     {"", map[string]string{"data_batch_1.bin": record("\x00") + record("\x01"), "data_batch_1 (1).bin": record("\x03")}, "airplane:120 automobile:120 | ", `not read, as they are not called as a batch is: ["data_batch_1 (1).bin"]`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			files(t, dir, strings.Fields(c.images)...)
			for name, text := range c.more {
				put(t, filepath.Join(dir, name), []byte(text))
			}
			d, err := Load(context.Background(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			test := ""
			if d.Test != nil {
				test = shown(d.Test)
			}
			if got := shown(d.Train) + " | " + test; got != c.want {
				t.Errorf("%s, expected %s", got, c.want)
			}
			if notes := strings.Join(d.Notes, "\n"); !strings.Contains(notes, c.note) || c.note == "" && strings.Contains(notes, "read") && !strings.Contains(notes, "read at") {
				t.Errorf("the notes are %q", notes)
			}
		})
	}
}

// Rows at the end whose labels are wrong are no surplus of the images.
func TestBadLabelsAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "x_train.npy"), npy("|u1", []int{5, 1, 1, 3}, make([]byte, 15)))
	put(t, filepath.Join(dir, "y_train.npy"), npy("<i8", []int{5}, []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")))
	d, err := Load(context.Background(), dir, Options{SkipBad: true})
	if err != nil || d.Train.Len() != 3 || len(d.Skipped) != 2 {
		t.Fatalf("%v, %v", d, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "x_train.npy"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("more")
	_ = f.Close()
	if _, err := Load(context.Background(), dir, Options{SkipBad: true}); err == nil || !strings.Contains(err.Error(), "more bytes than its head says") {
		t.Error(err)
	}
}
