package sysinfo

import (
	"os"
	"strconv"
	"strings"
)

// AvailableMemory returns how many bytes this process can still take before the system or its control group runs out, or
// 0 where nothing says so.
func AvailableMemory() int64 {
	free := int64(0)
	if raw, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemAvailable:" {
				kb, _ := strconv.ParseInt(f[1], 10, 64)
				free = kb << 10
			}
		}
	}
	// Control groups, version 2 and 1. What they say is used includes files in the cache, so only the limit counts.
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if most := number(file); most > 0 && (free == 0 || most < free) {
			free = most
		}
	}
	return free
}

func number(path string) int64 {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	return n
}
