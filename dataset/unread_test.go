package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Images that are hidden in class folders, or in shards, are counted and said; macOS's files beside are none.
func TestHiddenImagesAreSaid(t *testing.T) {
	dir := files(t, t.TempDir(), "train/x/a.png=1", "train/x/.h.png=2", "train/x/.d/e/f.jpg=3", "train/x/.d/._f.jpg=x", "train/x/.d/notes.txt=x",
		"train/y/b.png=4", "train/y/._b.png=x", "train/y/.DS_Store=x", "test/y/@eaDir/c.png/THUMB.jpg=5", "test/y/c.png=6")
	_ = os.Symlink("../../..", filepath.Join(dir, "train", "x", ".d", "up"))
	notes := strings.Join(load(t, dir).Notes, "\n")
	if !strings.Contains(notes, "3 hidden images are not read, the first in train/x/.d;") || !strings.Contains(notes, "data filter copies them") {
		t.Errorf("the notes are %q", notes)
	}
	a, b := string(dot(1)), string(dot(2))
	shard := shardOf(t, ".h/a.png", a, "._a.png", "x", "a.png", a, "a.cls", "0", "b.png", b, "b.cls", "1")
	if notes := strings.Join(load(t, shard).Notes, "\n"); !strings.Contains(notes, "1 hidden images are not read, the first in train-0.tar/.h/a.png") {
		t.Errorf("the notes are %q", notes)
	}
	for _, h := range holders {
		if dir := t.TempDir(); h.layout == "folder" || h.layout == "webdataset" {
			h.write(t, dir, tinySet(4, false, 2, 1))
			if notes := strings.Join(load(t, dir).Notes, "\n"); strings.Contains(notes, "hidden") {
				t.Errorf("%s: the notes are %q", h.name, notes)
			}
		}
	}
}

// Files of the data's format that belong to no part are named.
func TestUnreadFilesAreSaid(t *testing.T) {
	for _, h := range holders {
		ending := map[string]string{"webdataset": ".tar", "parquet": ".parquet", "table": ".csv"}[h.layout]
		if ending == "" || h.name == "TSV" || h.name == "JSON Lines" {
			continue
		}
		for _, stray := range []string{"part-002", "train/x", "data/sub/part-1", "sub/part-1"} {
			dir := t.TempDir()
			h.write(t, dir, tinySet(4, false, 2, 1))
			if notes := strings.Join(load(t, dir).Notes, "\n"); strings.Contains(notes, "not read") {
				t.Errorf("%s: the notes are %q", h.name, notes)
			}
			from := filepath.Join(dir, map[string]string{"webdataset": "train-000.tar", "parquet": "data/train-00000-of-00001.parquet", "table": "train.csv"}[h.layout])
			raw := testfile.Read(t, from)
			if h.layout == "table" && strings.Contains(stray, "sub/") || h.layout == "parquet" && stray != "data/sub/part-1" && stray != "sub/part-1" {
				continue // tables of other folders belong to something else; Parquet files above data/ are read instead
			}
			put(t, filepath.Join(dir, stray+ending), raw)
			d := load(t, dir)
			if notes := strings.Join(d.Notes, "\n"); !strings.Contains(notes, "are not read: "+stray+ending+"; to have them read, ") || d.Train.Len() != 6 {
				t.Errorf("%s beside %d images: the notes are %q", stray+ending, d.Train.Len(), notes)
			}
		}
	}
	dir := files(t, t.TempDir(), "a.png=1", "b.png=2", "train.csv=file,label\na.png,x\nb.png,y\n", "log.csv=epoch,loss\n1,2\n")
	if notes := load(t, dir).Notes; len(notes) > 0 {
		t.Errorf("the notes are %q", notes)
	}
}
