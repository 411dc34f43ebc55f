package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// A file beside folders of classes, or beside data of another layout, does not take their place unsaid.
func TestStrayFilesReplaceNoData(t *testing.T) {
	pack := func(members ...string) string {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for i := 0; i < len(members); i += 2 {
			_ = w.WriteHeader(&tar.Header{Name: members[i], Mode: 0o644, Size: int64(len(members[i+1]))})
			_, _ = w.Write([]byte(members[i+1]))
		}
		_ = w.Close()
		return b.String()
	}
	plain := pack("a/a.png", string(dot(1)), "b/b.png", string(dot(2)))
	shard := pack("a.png", string(dot(1)), "a.cls", "0", "b.png", string(dot(2)), "b.cls", "1")
	x, y := string(npy("|u1", []int{2, 1, 1, 3}, []byte{1, 2, 3, 4, 5, 6})), string(npy("|u1", []int{2}, []byte{0, 1}))
	const folders, part = "train/x/a.png=1 train/y/b.png=2 train/z/c.png=3 test/x/d.png=4", "file,label\ntrain/x/a.png,x\ntrain/y/b.png,y\n"
	for name, c := range map[string]struct {
		images string
		more   map[string]string
		o      Options
		want   string // in the error, or the images
	}{
		"a table":                    {folders, map[string]string{"metadata.csv": part}, Options{}, "metadata.csv names 2 of the 3 training images in folders of classes; table:DIR reads the table, folder:DIR the folders"},
		"a table in its part":        {folders, map[string]string{"train/metadata.csv": "file,label\nx/a.png,x\ny/b.png,y\n"}, Options{}, "names 2 of the 3"},
		"a table in data":            {folders, map[string]string{"data/metadata.csv": part}, Options{}, "names 2 of the 3"},
		"a table of other files":     {folders, map[string]string{"metadata.csv": "file,label\nu.png,x\nv.png,y\n"}, Options{}, "x:1 y:2 z:3"},
		"images and masks":           {"images/a.png=1 images/b.png=2 masks/a.png=3 masks/b.png=4", map[string]string{"labels.csv": "file,label\na.png,x\nb.png,y\n"}, Options{}, "names 0 of the 4"},
		"a table of the test":        {folders, map[string]string{"predictions.csv": "file,label\ntest/x/d.png,x\n"}, Options{}, "x:1 y:2 z:3"},
		"a table of new images":      {folders + " n/e.png=5", map[string]string{"more.csv": "file,label\nn/e.png,x\n"}, Options{}, "names 0 of the 3"},
		"a table that can't be read": {folders, map[string]string{"more.csv": "file,label\nu.png,x\n\"v.png,x\n"}, Options{}, "names 0 of the 3"},
		"two columns":                {folders, map[string]string{"metadata.csv": "file,image,label\nu.png,x\nv.png,y\n"}, Options{}, "table:DIR reads the table"},
		"a table above":              {"i/x/a.png=1 i/y/b.png=2", map[string]string{"t.csv": "file,label\ni/x/a.png,x\ni/x/a.png,y\n"}, Options{}, "table:DIR reads the table, folder:DIR/i the folders"},
		"a table of all":             {folders, map[string]string{"metadata.csv": part + "train/z/c.png,y\n"}, Options{}, "x:1 y:2 y:3"},
		"two tables of all":          {"i/x/a.png=1 i/y/b.png=2 i/y/c.png=3", map[string]string{"train.csv": "file,label\ni/x/a.png,x\ni/y/b.png,y\n", "test.csv": "file,label\ni/y/c.png,x\n"}, Options{}, "x:1 y:2"},
		"a table's option":           {folders, map[string]string{"metadata.csv": part}, Options{Label: "label"}, "x:1 y:2"},
		"parts without classes":      {"train_images/a.png=1 train_images/b.png=2 test_images/c.png=3", map[string]string{"train.csv": "file,label\na.png,x\nb.png,y\n"}, Options{}, "x:1 y:2"},
		"parts and a folder":         {"train/a.png=1 train/b.png=2 test/c.png=3 other/d.png=4", map[string]string{"train.csv": "file,label\na.png,x\nb.png,y\n"}, Options{}, "x:1 y:2"},
		"an archive":                 {folders, map[string]string{"all.npz": string(zipOf("x_train.npy", "y_train.npy"))}, Options{}, "the layouts numpy and folder both fit; numpy:DIR reads x_train, folder:DIR train/"},
		"arrays":                     {folders, map[string]string{"x_train.npy": x, "y_train.npy": y}, Options{}, "numpy and folder both fit"},
		"a shard":                    {folders, map[string]string{"train-000.tar": shard}, Options{}, "webdataset:DIR reads train-000.tar, folder:DIR train/"},
		"a shard beside arrays":      {"", map[string]string{"train-000.tar": shard, "x_train.npy": x, "y_train.npy": y}, Options{}, "webdataset:DIR reads train-000.tar, numpy:DIR x_train"},
		"arrays beside a table":      {"i/a.png=1 i/b.png=2", map[string]string{"x_train.npy": x, "y_train.npy": y, "t.csv": "file,label\ni/a.png,x\ni/b.png,y\n"}, Options{}, "numpy and table both fit"},
		"arrays and a list":          {"", map[string]string{"x_train.npy": x, "y_train.npy": y, "t.csv": "file,label\na.png,x\nb.png,y\n"}, Options{}, "0:2 1:5"},
		"arrays of features":         {folders, map[string]string{"data.npy": string(npy("<f4", []int{2, 1}, make([]byte, 8)))}, Options{}, "x:1 y:2 z:3"},
		"a damaged table":            {folders, map[string]string{"predictions.parquet": "PAR1"}, Options{}, "x:1 y:2 z:3"},
		"a backup":                   {folders, map[string]string{"backup.tar": plain}, Options{}, "x:1 y:2 z:3"},
		"another train.bin":          {folders, map[string]string{"train.bin": strings.Repeat("x", 10000)}, Options{}, "x:1 y:2 z:3"},
		"words in train.bin":         {folders, map[string]string{"train.bin": strings.Repeat("x", 3074)}, Options{}, "x:1 y:2 z:3"},
		"CIFAR-100":                  {folders, map[string]string{"train.bin": strings.Repeat("\x01", 3074)}, Options{}, "cifar100:DIR reads train.bin, folder:DIR train/"},
		"two of them":                {folders, map[string]string{"data.npy": "no", "train.bin": "no"}, Options{}, "x:1 y:2 z:3"},
		"one beside a table":         {folders, map[string]string{"data.npy": "no", "metadata.csv": part}, Options{}, "names 2 of the 3"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := files(t, t.TempDir(), strings.Fields(c.images)...)
			for name, text := range c.more {
				put(t, filepath.Join(dir, name), []byte(text))
			}
			d, err := Load(context.Background(), dir, c.o)
			if err != nil && !strings.Contains(strings.ReplaceAll(err.Error(), dir, "DIR"), c.want) || err == nil && shown(d.Train) != c.want {
				t.Errorf("%v, %v", d, err)
			}
			if err == nil && c.want == "x:1 y:2 z:3" {
				notes := strings.Join(d.Notes, "\n")
				for file := range c.more {
					if !strings.Contains(notes, file) || !strings.Contains(notes, "is not read: ") || d.Layout != "folder" {
						t.Errorf("the notes are %q", notes)
					}
				}
			}
			for _, layout := range []string{"folder", "table", "numpy", "webdataset"} {
				if err != nil && strings.Contains(err.Error(), layout+":"+dir) && name != "two columns" && !strings.HasPrefix(c.want, "names 0") {
					if d := load(t, layout+":"+dir); d.Layout != layout {
						t.Errorf("%s:DIR reads %s", layout, d.Layout)
					}
				}
			}
		})
	}
}
