package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A large file goes into the store and out of it without being held in memory, and who waits hears of it.
func TestFilesAreNotHeldInMemory(t *testing.T) {
	const size = 32 << 20
	moved := 0
	ctx := Watched(context.Background(), func() { moved++ })
	s, _ := open(t)
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	if err := os.WriteFile(filepath.Join(from, "large"), make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	k, err := s.PutFolder(ctx, from)
	if err == nil {
		err = s.GetFolder(ctx, k, to)
	}
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > size/4 {
		t.Errorf("%d MB were taken for a file of %d MB", n>>20, size>>20)
	}
	if moved < 100 {
		t.Errorf("who waits heard of it %d times", moved)
	}
	if same, err := s.Same(ctx, k, to); err != nil || !same {
		t.Errorf("another file came back (%v)", err)
	}
	if err := os.WriteFile(filepath.Join(to, "large"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if same, err := s.Same(ctx, k, to); err != nil || same {
		t.Errorf("another file is taken for the same (%v)", err)
	}
}

// What changes while it is read is not kept under the key of what it was, and what is damaged does not come out.
func TestDamagedFilesDoNotPass(t *testing.T) {
	ctx := context.Background()
	s, dir := open(t)
	k := sum([]byte("what was hashed"))
	if err := s.send(ctx, k, strings.NewReader("what was sent then")); err == nil {
		t.Error("a file that changed was kept")
	}
	if there, err := s.Has(ctx, k); err != nil || there {
		t.Errorf("something is there under its key (%v)", err)
	}
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	if err := os.WriteFile(filepath.Join(from, "a"), bytes.Repeat([]byte("x"), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	kept, err := s.PutFolder(ctx, from)
	if err != nil {
		t.Fatal(err)
	}
	file := sum(bytes.Repeat([]byte("x"), 2000))
	at := filepath.Join(dir, "objects", string(file[:2]), string(file))
	if err := os.WriteFile(at, bytes.Repeat([]byte("y"), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.GetFolder(ctx, kept, to); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged file: %v", err)
	}
	if left, _ := os.ReadDir(to); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
	if there, err := s.HasFolder(ctx, kept); err != nil || !there {
		t.Errorf("a folder that is there is not (%v)", err)
	}
	for _, damage := range []func() error{
		func() error { return os.Truncate(at, 5) }, func() error { return os.Remove(at) },
		func() error { return os.Remove(filepath.Join(dir, "objects", string(kept[:2]), string(kept))) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if there, err := s.HasFolder(ctx, kept); err != nil || there {
			t.Errorf("a folder without its files is there (%v)", err)
		}
	}
}
