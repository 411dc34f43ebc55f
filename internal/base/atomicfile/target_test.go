package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Links lead to what is written; those that lead nowhere, and what is no regular file, are left alone.
func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(in("file"), nil, 0o600), os.Mkdir(in("folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"to-file": "file", "to-folder": "folder", "to-nothing": "nothing"} {
		if err := os.Symlink(to, in(link)); err != nil {
			t.Skip(err)
		}
	}
	if err := WriteBytes(in("to-file"), []byte("new")); err != nil {
		t.Error(err)
	}
	if err := Folder(in("to-folder")+"/", func(dir string) error { return WriteBytes(filepath.Join(dir, "a"), nil) }); err != nil {
		t.Error(err)
	}
	if raw, err := os.ReadFile(in("file")); string(raw) != "new" || err != nil {
		t.Errorf("the file holds %q, %v", raw, err)
	}
	if got := names(t, in("folder")); len(got) != 1 || got[0] != "a" {
		t.Errorf("the folder holds %v", got)
	}
	for _, err := range []error{WriteBytes(in("to-nothing"), nil), Folder(in("to-nothing"), func(string) error { return nil })} {
		if err == nil || !strings.Contains(err.Error(), "a link that leads nowhere") {
			t.Error(err)
		}
	}
	if err := WriteBytes(in("folder"), nil); err == nil || !strings.Contains(err.Error(), "is no regular file") {
		t.Error(err)
	}
	if got := names(t, dir); len(got) != 5 {
		t.Errorf("left: %v", got)
	}
}

// What can't be replaced is refused before it is filled.
func TestTheWorkingFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, path := range []string{".", dir, "../" + filepath.Base(dir)} {
		err := Folder(path, func(string) error {
			t.Errorf("%s is filled", path)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "is the working folder, which can't be replaced") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := os.Mkdir("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	if to, err := Free("empty"); err != nil || Resolve(to) != filepath.Join(Resolve("."), "empty") {
		t.Errorf("%s, %v", to, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
}

// What is prepared leaves an older file alone until it is kept.
func TestPreparedFilesComeLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	for k, keeps := range []bool{true, false} {
		old, _ := os.ReadFile(path)
		keep, drop, err := Prepare(path, func(path string) error { return WriteBytes(path, []byte{byte(k)}) })
		if err != nil {
			t.Fatal(err)
		}
		if now, _ := os.ReadFile(path); string(now) != string(old) {
			t.Errorf("%v before, %v now", old, now)
		}
		end := drop
		if keeps {
			end = keep
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		if now, err := os.ReadFile(path); err != nil || len(now) != 1 || now[0] != 0 {
			t.Errorf("%v, %v", now, err)
		}
	}
	stop := errors.New("stop")
	if _, _, err := Prepare(path, func(string) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
}
