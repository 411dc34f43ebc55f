//go:build !linux

package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
)

// flush waits until all files in a folder are on the disk.
func flush(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
}
