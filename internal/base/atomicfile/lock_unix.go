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
	unlock, _, err = lock(path)
	return unlock, err
}

// Take is Lock of what another process may have left, to remove it. Where a file system has no locks nobody knows whether it did: then
// that is ErrLocked too.
func Take(path string) (unlock func(), err error) {
	unlock, held, err := lock(path)
	if err == nil && !held {
		unlock()
		return nil, ErrLocked
	}
	return unlock, err
}

// lock takes it, and tells whether there is a lock that is held.
func lock(path string) (unlock func(), held bool, err error) {
	f, err := openToLock(path)
	if err != nil {
		return nil, false, err
	}
	err = flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		f.Close()
		return nil, false, ErrLocked
	case err != nil && !noLocks(err):
		f.Close()
		return nil, false, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return func() { f.Close() }, err == nil, nil
}

// flock is the system's; tests have another.
var flock = syscall.Flock

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
