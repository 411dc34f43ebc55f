package sysinfo

import (
	"os"
	"path"
	"strconv"
	"strings"
)

// AvailableMemory returns how many bytes this process can still take before the system or one of its control groups runs out,
// or 0 where nothing says so.
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
	groups, _ := os.ReadFile("/proc/self/cgroup")
	for _, file := range limitFiles(string(groups)) { // what is used includes files in the cache, so only the limit counts
		if most := number(file); most > 0 && (free == 0 || most < free) {
			free = most
		}
	}
	return free
}

// limitFiles lists the files that may say how much memory the control groups of a process have, of version 2 and 1, by what
// /proc/self/cgroup says: those of its own groups and of all that these are in. In a container some are not there.
func limitFiles(groups string) []string {
	files := []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}
	for line := range strings.Lines(groups) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:group
		if len(part) < 3 {
			continue
		}
		root, name := "/sys/fs/cgroup", "memory.max"
		switch {
		case part[1] == "memory":
			root, name = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case part[1] != "":
			continue
		}
		for group := path.Clean("/" + part[2]); group != "/"; group = path.Dir(group) {
			files = append(files, root+group+"/"+name)
		}
	}
	return files
}

func number(file string) int64 {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	return n
}
