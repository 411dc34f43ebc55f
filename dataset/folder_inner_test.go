package dataset

import (
	"strings"
	"testing"
)

// Folders that several classes hold alike are said: they may be the classes, or the parts.
func TestFoldersThatClassesHold(t *testing.T) {
	for name, c := range map[string]struct{ files, want string }{
		"classes":        {"color/apple/1.png=1 color/pear/2.png=2 grey/apple/3.png=3 grey/pear/4.png=4", `both hold folders called ["apple" "pear"]: if those are the classes, folder:DIR/color reads`},
		"parts":          {"apple/train/1.png=1 apple/test/2.png=2 pear/train/3.png=3 pear/test/4.png=4", `["test" "train"]: all their images are read as training images`},
		"below a part":   {"train/a/x/1.png=1 train/a/y/2.png=2 train/b/x/3.png=3 train/b/y/4.png=4 test/a/5.png=5", `folder:DIR/train/a reads`},
		"one each":       {"apple/images/1.png=1 apple/boxes/1.txt pear/images/3.png=3 pear/boxes/2.txt", ""},
		"of their own":   {"apple/red/1.png=1 apple/green/2.png=2 pear/long/3.png=3 pear/round/4.png=4", ""},
		"beside images":  {"apple/0.png=5 apple/a/1.png=1 apple/b/2.png=2 pear/0.png=6 pear/a/3.png=3 pear/b/4.png=4", ""},
		"in one of them": {"apple/a/1.png=1 apple/b/2.png=2 pear/3.png=3", ""},
	} {
		dir := t.TempDir()
		for _, file := range strings.Fields(c.files) {
			if strings.HasSuffix(file, ".txt") {
				file += "=of a box"
			}
			files(t, dir, file)
		}
		want := strings.ReplaceAll(c.want, "DIR", dir)
		if notes := strings.Join(load(t, dir).Notes, "\n"); !strings.Contains(notes, want) || strings.Contains(notes, "both hold") != (want != "") {
			t.Errorf("%s: the notes are %q", name, notes)
		}
	}
}
