package sysinfo

import "fmt"

// Size is a number of bytes in words, in a unit that leaves some digits.
func Size(bytes int64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < 1<<20:
		return fmt.Sprintf("%d kB", bytes>>10)
	case bytes < 100<<20:
		return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%d MB", bytes>>20)
}

// Fits reports what takes more memory than is free, and what helps.
func Fits(need int64, what, help string) error {
	if free := AvailableMemory(); free > 0 && need > free {
		return fmt.Errorf("%s take %s of memory, %s are free%s", what, Size(need), Size(free), help)
	}
	return nil
}
