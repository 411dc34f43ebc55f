package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// A folder is there whole or not at all, and what a killed process left is removed by the next one.
func TestFolderIsWholeOrNotThere(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	stop := errors.New("stop")
	err := Folder(out, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) || len(names(t, parent)) != 0 {
		t.Fatalf("%v leaves %v", err, names(t, parent))
	}
	abandoned, other := filepath.Join(parent, ".out.123"+partial), filepath.Join(parent, ".outer.1"+partial)
	for _, dir := range []string{abandoned, other, out} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	held := filepath.Join(parent, ".out.held"+partial)
	if err := os.Mkdir(held, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := Lock(held)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := Folder(out, func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), nil, 0o600) }); err != nil {
		t.Fatal(err)
	}
	if got := names(t, parent); len(got) != 3 || got[0] != ".out.held"+partial || got[1] != ".outer.1"+partial || got[2] != "out" {
		t.Errorf("left: %v", got)
	}
	if err := Folder(out, func(string) error { return nil }); err == nil {
		t.Error("a folder with files was replaced")
	}
}

// What another process wrote meanwhile stays.
func TestTheFirstFolderStays(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	err := Folder(out, func(string) error {
		return Folder(out, func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), nil, 0o600) })
	})
	if err == nil || !strings.Contains(err.Error(), "another process wrote it") {
		t.Error(err)
	}
	if got := names(t, filepath.Dir(out)); !slices.Equal(got, []string{"out"}) {
		t.Errorf("%q", got)
	}
}

func TestLockIsExclusive(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	again, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestCleanRemovesWhatKillsLeft(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{".a.csv.1" + partial, "a.csv", ".hidden"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Clean(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 2 || got[0] != ".hidden" || got[1] != "a.csv" {
		t.Errorf("left: %v", got)
	}
}
