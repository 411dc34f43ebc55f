//go:build unix

// Package sysinfo asks the operating system about this process.
package sysinfo

import (
	"runtime"
	"syscall"
)

// PeakMemory returns the largest resident size of this process so far, in bytes, or 0.
func PeakMemory() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(u.Maxrss) //nolint:unconvert // 32 bits on some systems
	}
	return int64(u.Maxrss) << 10 //nolint:unconvert // 32 bits on some systems
}
