package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// flush waits until all files in a folder are on the disk: those of its whole file system, since a million files take an hour one by
// one.
func flush(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}
