package dataset

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/rng"
)

// What is written holds its own images: links within the data lead to their copies, also where a folder is linked, and whatever way
// they are written. The original may go.
func TestFilteredLinksLeadToTheCopy(t *testing.T) {
	for name, link := range map[string]string{
		"relative": "../pool/stop", "absolute": "DIR/pool/stop", "out and in again": "../../data/pool/stop", "by another link": "ALIAS/pool/stop",
	} {
		for _, c := range []struct{ drop, move, left, note string }{
			{"", "", "go:1 go:3 stop:3 stop:4 stop:5", ""},
			{"train/stop/b.png", "", "go:1 go:3 stop:3 stop:5", "1 dropped images were links: the files that these led to stay in the data, the first is pool/stop/b.png"},
			{"train/go/0.png", "train/stop/c.png", "go:3 go:5 stop:3 stop:4", ""},
			{"", "train/go/z.png", "go:1 stop:3 stop:3 stop:4 stop:5", ""},
		} {
			root := t.TempDir()
			dir := files(t, filepath.Join(root, "data"), "pool/stop/a.png=3", "pool/stop/b.png=4", "pool/stop/c.png=5", "train/go/0.png=1", "test/go/0.png=1", "test/stop/1.png=2")
			for at, to := range map[string]string{"alias": dir, "data/train/stop": link, "data/train/go/z.png": "DIR/pool/stop/a.png"} {
				to = strings.NewReplacer("DIR", dir, "ALIAS", filepath.Join(root, "alias")).Replace(to)
				if err := os.Symlink(to, filepath.Join(root, at)); err != nil {
					t.Skip(err)
				}
			}
			d := load(t, dir)
			drop, labels := make([]bool, d.Train.Len()), make([]int32, d.Train.Len())
			for i := range labels {
				if drop[i], labels[i] = d.Train.Source(i) == c.drop, -1; d.Train.Source(i) == c.move {
					labels[i] = 1 - d.Train.Labels[i]
				}
			}
			out := filepath.Join(root, "away", "out")
			notes, err := Correct(t.Context(), d, Options{}, drop, labels, out)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if err := os.Rename(dir, filepath.Join(root, "gone")); err != nil {
				t.Fatal(err)
			}
			if got := shown(load(t, out).Train); got != c.left {
				t.Errorf("%s, without %q: %s are left, expected %s", name, c.drop, got, c.left)
			}
			if !strings.Contains(strings.Join(notes, "\n"), c.note) || c.note == "" && len(notes) > 0 {
				t.Errorf("%s, without %q: the notes are %q", name, c.drop, notes)
			}
			_ = filepath.WalkDir(out, func(p string, e fs.DirEntry, _ error) error {
				if to, err := os.Readlink(p); err == nil && filepath.IsAbs(to) {
					t.Errorf("%s: %s leads to %s", name, p, to)
				}
				return nil
			})
		}
	}
}

// Files of rows and tables that lie in a linked folder are filtered like others.
func TestFilterOfRowsInALinkedFolder(t *testing.T) {
	for _, h := range holders {
		dir := filepath.Join(t.TempDir(), "data")
		s := tinySet(32, !h.colour, 3, 1)
		h.write(t, dir, s)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			at, away := filepath.Join(dir, e.Name()), filepath.Join(t.TempDir(), "away")
			if err := os.Rename(at, away); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(away, at); err != nil {
				t.Skip(err)
			}
		}
		d, left, _ := filtered(t, dir, 1)
		if want := d.Train.Subset(append([]int{0}, rng.Iota(9)[2:]...)).Digest(); left.Train.Digest() != want {
			t.Errorf("%s: %d images are left, or others", h.name, left.Train.Len())
		}
	}
}

// A file that a table names which is not read stays, wherever the table lies.
func TestFilterSeesLinkedTables(t *testing.T) {
	for name, link := range map[string]string{"the data": "", "a folder": "more", "the table": "more/all.csv"} {
		root := t.TempDir()
		dir := files(t, filepath.Join(root, "data"), "i/a.png=1", "i/b.png=2", "i/c.png=3", "train.csv=file,label\ni/a.png,x\ni/b.png,y\ni/c.png,y\n", "more/all.csv=file,kind\ni/b.png,z\n")
		at := filepath.Join(dir, link)
		if err := os.Rename(at, filepath.Join(root, "away")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(root, "away"), at); err != nil {
			t.Skip(err)
		}
		_, left, out := filtered(t, "table:"+dir, 1)
		if _, err := os.Stat(filepath.Join(out, "i", "b.png")); err != nil || shown(left.Train) != "x:1 y:3" {
			t.Errorf("%s is a link: %v, %s are left", name, err, shown(left.Train))
		}
	}
}

// Of a table given alone a link to a file that it does not name becomes that file.
func TestFilterOfListedLinks(t *testing.T) {
	dir := files(t, filepath.Join(t.TempDir(), "data"), "i/a.png=1", "s/b.png=2", "i/c.png=3", "t.csv=file,label\ni/a.png,x\ni/b.png,y\ni/c.png,y\ni/d.png,y\n")
	for at, to := range map[string]string{"i/b.png": filepath.Join(dir, "s", "b.png"), "i/d.png": "a.png"} {
		if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
			t.Skip(err)
		}
	}
	_, left, out := filtered(t, filepath.Join(dir, "t.csv"), 2)
	st, err := os.Lstat(filepath.Join(out, "i", "b.png"))
	to, linkErr := os.Readlink(filepath.Join(out, "i", "d.png"))
	if err != nil || !st.Mode().IsRegular() || linkErr != nil || to != "a.png" || shown(left.Train) != "x:1 y:1 y:2" {
		t.Errorf("%v, %v, %q, %v, %s are left", st, err, to, linkErr, shown(left.Train))
	}
}
