//go:build unix && !solaris && !aix

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// Lock takes a folder, or a file, for this caller alone until unlock is called or the process ends. It leaves no file behind.
// On NFS a folder's lock is seen on the same machine only.
func Lock(path string) (unlock func(), err error) {
	f, err := openToLock(path)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		f.Close()
		return nil, ErrLocked
	case noLocks(err): // there is nothing to hold
	case err != nil:
		f.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return func() { f.Close() }, nil
}

// openToLock opens a file to read and write, which NFS asks of who locks it alone. Folders, and files that may not be
// written, are opened to read.
func openToLock(path string) (*os.File, error) {
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		return f, nil
	}
	return os.Open(path)
}

// noLocks tells whether a file system has no locks, or none for what is open to read only.
func noLocks(err error) bool {
	return errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOLCK) || errors.Is(err, syscall.EBADF)
}
