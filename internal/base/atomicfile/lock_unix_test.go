//go:build unix && !solaris && !aix

package atomicfile

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// NFS locks no file for one caller that is open to read only.
func TestFilesAreOpenedToWriteForALock(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string]int{path: unix.O_RDWR, dir: unix.O_RDONLY} {
		f, err := openToLock(of)
		if err != nil {
			t.Fatal(err)
		}
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_ACCMODE != want {
			t.Errorf("%s is open with %x: %v", of, flags, err)
		}
		f.Close()
	}
	if _, err := openToLock(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	if !noLocks(fmt.Errorf("lock: %w", syscall.EBADF)) || noLocks(syscall.EIO) {
		t.Error("what can't be locked is an error, or an error is none")
	}
}

// Where a file system has no locks, what another process may still write is not taken for what it left.
func TestWithoutLocksNothingIsTaken(t *testing.T) {
	parent := t.TempDir()
	left := filepath.Join(parent, ".x.1"+partial)
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	fill := func() {
		if err := Folder(filepath.Join(parent, "x"), func(string) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	flock = func(int, int) error { return syscall.ENOLCK }
	defer func() { flock = syscall.Flock }()
	if unlock, err := Lock(left); err != nil {
		t.Error(err)
	} else {
		unlock()
	}
	if fill(); len(names(t, parent)) != 2 {
		t.Errorf("left: %v", names(t, parent))
	}
	flock = syscall.Flock
	if fill(); len(names(t, parent)) != 1 {
		t.Errorf("left: %v", names(t, parent))
	}
}
