package dataset

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Names that people take for one are said, whatever makes them two.
func TestNamesThatLookAlike(t *testing.T) {
	for _, c := range []struct{ a, b, how string }{
		{"caf\u00e9", "cafe\u0301", "Unicode form"},
		{"Cat", "cat", "upper and lower case"},
		{"cat", "cat ", "do not show"},
		{"cat", "c\u200bat", "do not show"},
		{"two words", "two  words", "do not show"},
		{"1", "1.0", "a number is written"},
		{"7", "007", "a number is written"},
		{"cat", "dog", ""},
		{"1", "10", ""},
		{"nan", "NaN", "upper and lower case"},
	} {
		notes := (&classes{names: []string{c.a, c.b}}).alike()
		if got := strings.Join(notes, "\n"); (c.how == "") != (got == "") || !strings.Contains(got, c.how) {
			t.Errorf("%+q and %+q: %q", c.a, c.b, got)
		}
	}
}

// Links that lead back and sockets end in an error that names them, and are counted where that was asked for.
func TestWhatIsNoFileIsRefused(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a link that leads back to": func(path string) error { return os.Symlink("../..", path) },
		"a link that leads to itself": func(path string) error {
			return os.Symlink(filepath.Base(path), path)
		},
		"a link to nowhere, which is not there": func(path string) error { return os.Symlink("nowhere", path) },
		"a device":                              func(path string) error { return os.Symlink("/dev/zero", path) },
		"a socket": func(path string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			if err == nil {
				l.SetUnlinkOnClose(false)
				err = l.Close()
			}
			return err
		},
	} {
		dir := files(t, t.TempDir(), "train/a/0.png=1", "train/b/1.png=2")
		if err := make(filepath.Join(dir, "train", "b", "x.png")); err != nil {
			t.Log(name, err)
			continue
		}
		if _, err := Load(context.Background(), dir, Options{}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "train/b/x.png") {
			t.Errorf("%s: %v", name, err)
		}
		d, err := Load(context.Background(), dir, Options{SkipBad: true})
		if err != nil || shown(d.Train) != "a:1 b:2" || len(d.Skipped) != 1 {
			t.Errorf("%s, passed over: %v, %v", name, d, err)
		}
	}
}

// A test part that is a link to nothing is no data without a test part.
func TestMissingTestFilesAreSaid(t *testing.T) {
	for _, h := range holders {
		switch h.name {
		case "CIFAR-10", "CIFAR-100", "CIFAR Python", "IDX", "NumPy", "Parquet", "WebDataset", "CSV":
		default:
			continue
		}
		dir := t.TempDir()
		h.write(t, dir, tinySet(32, !h.colour, 2, 1))
		found := false
		for _, pattern := range []string{"test*", "t10k-images*", "x_test*", "data/test*"} {
			all, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range all {
				found = true
				if err := os.Remove(p); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink("nowhere", p); err != nil {
					t.Skip(err)
				}
			}
		}
		if _, err := Load(context.Background(), dir, Options{}); !found || err == nil || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("%s: found %t, %v", h.name, found, err)
		}
	}
}

// A folder's name is no pattern, and thousands of classes are classes.
func TestFoldersOfAnyNameAndNumber(t *testing.T) {
	for _, h := range holders {
		dir := filepath.Join(t.TempDir(), "set [v2] *?", `a\b{c}`)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Skip(err)
		}
		s := tinySet(32, !h.colour, 1, 1)
		h.write(t, dir, s)
		d, err := Load(context.Background(), dir, Options{})
		if err != nil {
			t.Errorf("%s: %v", h.name, err)
			continue
		}
		h.same(t, s, d)
	}
	dir := t.TempDir()
	table := "file,label\n"
	for i := range 3000 {
		put(t, filepath.Join(dir, fmt.Sprint(i, ".png")), dot(uint8(i)))
		table += fmt.Sprintf("%d.png,c%d\n", i, i)
	}
	put(t, filepath.Join(dir, "t.csv"), []byte(table))
	d, err := Load(context.Background(), dir, Options{})
	if err != nil || len(d.Train.Classes) != 3000 || d.Train.Classes[d.Train.Labels[2999]] != "c2999" {
		t.Errorf("%v, %v", d, err)
	}
}

// Only a label that is no class is said to be unknown to the training images: not one that can't be read.
func TestUnreadableLabelsAreNoUnknownClass(t *testing.T) {
	unreadable := error(&RecordError{"a.tar", -1, "a label in x.cls", "a link"})
	if err := untrained(unreadable); err != unreadable { //nolint:errorlint // the very same
		t.Errorf("%v", err)
	}
	unknown := labelled(Record{Source: "a.png", Row: -1, Label: Name("van")}, &classes{names: []string{"bus"}, index: map[string]int32{"bus": 0}}).err
	if err := untrained(unknown); !strings.Contains(err.Error(), "no such class") || !errors.As(err, new(*RecordError)) {
		t.Errorf("%v", err)
	}
}
