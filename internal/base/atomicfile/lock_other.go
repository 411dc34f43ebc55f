//go:build !unix || solaris || aix

package atomicfile

// Lock does nothing on systems whose folders can't be locked.
func Lock(string) (unlock func(), err error) { return func() {}, nil }

// Take says that another process may hold what it is to take.
func Take(string) (unlock func(), err error) { return nil, ErrLocked }
