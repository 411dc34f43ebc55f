//go:build !unix

// Package sysinfo asks the operating system about this process.
package sysinfo

import "runtime"

// PeakMemory returns the memory that Go has taken from the system, in bytes.
func PeakMemory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
