package store

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func open(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func TestFoldersComeBackAsTheyWere(t *testing.T) {
	ctx := context.Background()
	s, dir := open(t)
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	for name, text := range map[string]string{"a": "1", "sub/b": "", "sub/deep/c": "1", ".unfinished": "x"} {
		path := filepath.Join(from, filepath.FromSlash(name))
		os.MkdirAll(filepath.Dir(path), 0o755)
		os.WriteFile(path, []byte(text), 0o600)
	}
	k, err := s.PutFolder(ctx, from)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := s.Requests()
	again, err := s.PutFolder(ctx, from)
	if err != nil || again != k {
		t.Errorf("the same folder has the keys %s and %s (%v)", k, again, err)
	}
	if now, sent, _ := s.Requests(); now-before != 4 || sent == 0 {
		t.Errorf("a folder that is there took %d requests, expected one a file and one for their list", now-before)
	}
	if err := s.GetFolder(ctx, k, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "1", "sub/b": "", "sub/deep/c": "1"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, expected %q (%v)", name, got, want, err)
		}
	}
	if _, err := os.Stat(filepath.Join(to, ".unfinished")); err == nil {
		t.Error("an unfinished file was kept")
	}
	objects, _ := filepath.Glob(filepath.Join(dir, "objects", "*", "*"))
	for _, o := range objects {
		if err := os.WriteFile(o, []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get(ctx, k); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged object: %v", err)
	}
	if k2, err := s.PutFolder(ctx, from); err != nil || k2 != k || s.GetFolder(ctx, k, to) != nil {
		t.Errorf("a damaged object was not mended by putting it again (%v)", err)
	}
}

// A class without images is a folder without files, and comes back. Folders without such ones have the keys that they had before.
func TestEmptyFoldersComeBack(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t)
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	put := func() (Key, string) {
		t.Helper()
		k, err := s.PutFolder(ctx, from)
		if err != nil {
			t.Fatal(err)
		}
		text, err := s.Get(ctx, k)
		if err != nil {
			t.Fatal(err)
		}
		return k, string(text)
	}
	for _, name := range []string{"cat", "owl", "train/bee", ".hidden"} {
		if err := os.MkdirAll(filepath.Join(from, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"cat/1.png", "owl/.DS_Store"} {
		if err := os.WriteFile(filepath.Join(from, name), []byte("1"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, text := put()
	if !strings.HasSuffix(text, `"empty":["owl","train/bee"]}`) {
		t.Errorf("kept as %s", text)
	}
	if err := s.GetFolder(ctx, k, to); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cat", "owl", "train/bee"} {
		if st, err := os.Stat(filepath.Join(to, name)); err != nil || !st.IsDir() {
			t.Errorf("%s did not come back: %v", name, err)
		}
	}
	for _, name := range []string{"owl", "train"} {
		if err := os.RemoveAll(filepath.Join(from, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, text := put(); strings.Contains(text, "empty") {
		t.Errorf("kept as %s", text)
	}
}

// Neither keys nor names nor lists of files lead out of the store or of the folder that is written.
func TestPathsStayBelowTheirRoots(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t)
	good := Key(strings.Repeat("a", 64))
	for _, bad := range []string{"", "..", "../../etc/passwd", strings.Repeat("a", 63) + "/", strings.Repeat("A", 64), string(good) + "\n", "/" + string(good)} {
		if _, err := s.Get(ctx, Key(bad)); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("the key %q was looked for: %v", bad, err)
		}
		for _, name := range []string{bad, "cells/" + bad, "../cells/" + string(good)} {
			if _, err := s.Find(ctx, name); err == nil || errors.Is(err, ErrNone) {
				t.Errorf("the name %q was looked for: %v", name, err)
			}
			if _, err := s.Name(ctx, name, good, false); err == nil {
				t.Errorf("the name %q was taken", name)
			}
		}
		if _, err := s.Name(ctx, "cells/"+string(good), Key(bad), false); err == nil {
			t.Errorf("a name stands for %q", bad)
		}
	}
	content, err := s.Put(ctx, []byte("evil"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../out", "/out", "a/../../out", `..\out`, "", "sub/.."} {
		for _, f := range []folder{{Files: []file{{name, content, 4}}}, {Empty: []string{name}}} {
			text, _ := json.Marshal(f)
			k, err := s.Put(ctx, text)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "in", "dir")
			if err := s.GetFolder(ctx, k, dir); err == nil {
				t.Errorf("a folder with %+v was written", f)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "out")); err == nil {
				t.Errorf("%q was written", name)
			}
		}
	}
	if _, err := s.Get(ctx, good); !errors.Is(err, ErrNone) {
		t.Errorf("nothing: %v", err)
	}
}

// Of several that name the same thing at once, all get the same answer.
func TestTheFirstNameStays(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t)
	name := "cells/" + strings.Repeat("0", 64)
	if _, err := s.Find(ctx, name); !errors.Is(err, ErrNone) {
		t.Fatal(err)
	}
	got := make([]Key, 8)
	var group sync.WaitGroup
	for i := range got {
		group.Go(func() {
			k, err := s.Name(ctx, name, Key(strings.Repeat(string(rune('0'+i)), 64)), true)
			if err != nil {
				t.Error(err)
			}
			got[i] = k
		})
	}
	group.Wait()
	for _, k := range got {
		if found, err := s.Find(ctx, name); err != nil || found != k {
			t.Errorf("the name stands for %s, one was told %s (%v)", found, k, err)
		}
	}
	other := Key(strings.Repeat("f", 64))
	if k, err := s.Name(ctx, name, other, false); err != nil || k != other {
		t.Errorf("a name could not be given another object: %s, %v", k, err)
	}
}

func TestWrongStoresAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	for _, where := range []string{"", "http://host/x", file} {
		if s, err := Open(context.Background(), where); err == nil {
			t.Errorf("%q is the store %v", where, s)
		}
	}
}
