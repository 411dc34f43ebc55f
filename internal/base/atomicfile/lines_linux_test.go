package atomicfile

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// limited limits the size of files, as a full disk does, while do writes.
func limited(t *testing.T, size uint64, do func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	do()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
}

// A line that the disk has no room for leaves no part of it, and those before and after it stay.
func TestALineIsWholeOrNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := AppendLine(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	var err error
	limited(t, 7, func() { err = AppendLine(path, []byte("two, too long")) })
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("a write that fails: %v", err)
	}
	if err := AppendLine(path, []byte("three")); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "one\nthree\n" {
		t.Errorf("%q, %v", raw, err)
	}
}
