//go:build unix

package dataset

import (
	"io/fs"
	"syscall"
)

// storedBytes is how much of a file is on the disk; the rest are holes, which read as zeros.
func storedBytes(st fs.FileInfo) int64 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return sys.Blocks * 512
	}
	return st.Size()
}
