package sysinfo

import (
	"slices"
	"testing"
)

// A limit counts wherever it was set: on the process's own group, as systemd-run does, or on one that this is in.
func TestLimitsOfAllGroupsCount(t *testing.T) {
	const v2, v1 = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
	for groups, want := range map[string][]string{
		"":         nil,
		"nonsense": nil,
		"0::/\n":   nil, // a container's view
		"0::/user.slice/run-1.scope\n": {
			"/sys/fs/cgroup/user.slice/run-1.scope/memory.max", "/sys/fs/cgroup/user.slice/memory.max",
		},
		"9:cpu:/a\n8:memory:/a/b\n1:name=systemd:/c\n": {
			"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
		},
		"0::/../../x\n": {"/sys/fs/cgroup/x/memory.max"},
	} {
		if got := limitFiles(groups); !slices.Equal(got, append([]string{v2, v1}, want...)) {
			t.Errorf("%q: %q", groups, got)
		}
	}
}
