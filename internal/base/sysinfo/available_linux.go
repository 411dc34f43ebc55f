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
		free = valueOf(string(raw), "MemAvailable:") << 10
	}
	groups, _ := os.ReadFile("/proc/self/cgroup")
	for _, group := range groupsOf(string(groups)) {
		if left := group.left(); left > 0 && (free == 0 || left < free) {
			free = left
		}
	}
	return free
}

// group is a control group's folder, of version 2 or 1.
type group struct {
	folder string
	first  bool
}

// root is where control groups are.
const root = "/sys/fs/cgroup"

// groupsOf lists the control groups that may say how much memory a process has, of version 2 and 1, by what /proc/self/cgroup says: its
// own groups and all that these are in. In a container some are not there.
func groupsOf(groups string) []group {
	all := []group{{root, false}, {root + "/memory", true}}
	for line := range strings.Lines(groups) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:group
		if len(part) < 3 || part[1] != "" && part[1] != "memory" {
			continue
		}
		of := group{root, false}
		if part[1] == "memory" {
			of = all[1]
		}
		for name := path.Clean("/" + part[2]); name != "/"; name = path.Dir(name) {
			all = append(all, group{of.folder + name, of.first})
		}
	}
	return all
}

// left is how many bytes a group's processes can still take, at least 1; 0 without a limit. What they use includes files in the cache,
// which make room, so only what is of no file counts.
func (g group) left() int64 {
	limit, used := "memory.max", "anon"
	if g.first {
		limit, used = "memory.limit_in_bytes", "total_rss"
	}
	raw, err := os.ReadFile(path.Join(g.folder, limit))
	if err != nil {
		return 0
	}
	most, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil || most <= 0 { // "max"
		return 0
	}
	stat, _ := os.ReadFile(path.Join(g.folder, "memory.stat"))
	return max(1, most-valueOf(string(stat), used))
}

// valueOf returns the number after a name that a line of a text begins with; 0 without such a line.
func valueOf(text, name string) int64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}
