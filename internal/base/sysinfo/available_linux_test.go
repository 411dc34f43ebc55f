package sysinfo

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// A limit counts wherever it was set: on the process's own group, as systemd-run does, or on one that this is in.
func TestLimitsOfAllGroupsCount(t *testing.T) {
	for groups, want := range map[string][]group{
		"":         nil,
		"nonsense": nil,
		"0::/\n":   nil, // a container's view
		"0::/user.slice/run-1.scope\n": {
			{"/sys/fs/cgroup/user.slice/run-1.scope", false}, {"/sys/fs/cgroup/user.slice", false},
		},
		"9:cpu:/a\n8:memory:/a/b\n1:name=systemd:/c\n": {
			{"/sys/fs/cgroup/memory/a/b", true}, {"/sys/fs/cgroup/memory/a", true},
		},
		"0::/../../x\n": {{"/sys/fs/cgroup/x", false}},
	} {
		want = append([]group{{"/sys/fs/cgroup", false}, {"/sys/fs/cgroup/memory", true}}, want...)
		if got := groupsOf(groups); !slices.Equal(got, want) {
			t.Errorf("%q: %v", groups, got)
		}
	}
}

// What is left of a limit is less by what the group's processes hold, but for files in the cache.
func TestWhatIsHeldIsNotLeft(t *testing.T) {
	for name, c := range map[string]struct {
		first bool
		files map[string]string
		want  int64
	}{
		"version 2":   {false, map[string]string{"memory.max": "1000\n", "memory.stat": "anon 300\nfile 500\nanon_thp 7\n"}, 700},
		"version 1":   {true, map[string]string{"memory.limit_in_bytes": "1000\n", "memory.stat": "cache 500\nrss 100\ntotal_cache 600\ntotal_rss 250\n"}, 750},
		"no limit":    {false, map[string]string{"memory.max": "max\n", "memory.stat": "anon 300\n"}, 0},
		"no group":    {false, nil, 0},
		"no figures":  {false, map[string]string{"memory.max": "1000\n"}, 1000},
		"all is held": {false, map[string]string{"memory.max": "1000\n", "memory.stat": "anon 1000\n"}, 1},
	} {
		g := group{t.TempDir(), c.first}
		for file, text := range c.files {
			testfile.Write(t, filepath.Join(g.folder, file), text)
		}
		if got := g.left(); got != c.want {
			t.Errorf("%s: %d bytes are left, expected %d", name, got, c.want)
		}
	}
}
