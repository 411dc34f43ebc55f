package version

import (
	"runtime/debug"
	"testing"
)

// The commit comes from version control, or from the version that go install made of it; a release's version names none.
func TestOf(t *testing.T) {
	const commit = "69118ad0d1e6c0ffee00112233445566778899aa"
	set := func(pairs ...string) (s []debug.BuildSetting) {
		for i := 0; i < len(pairs); i += 2 {
			s = append(s, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return s
	}
	for _, c := range []struct {
		main     string
		settings []debug.BuildSetting
		want     Build
	}{
		{"(devel)", nil, Build{}},
		{"v0.1.0", nil, Build{}},
		{"v0.0.0-20261128070000-69118ad0d1e6", nil, Build{Commit: commit[:12]}},
		{"v0.1.1-0.20261128070000-69118ad0d1e6+dirty", nil, Build{Commit: commit[:12], Modified: true}},
		{
			"v0.1.1-0.20261128070000-69118ad0d1e6",
			set("vcs.revision", commit, "vcs.time", "2026-11-28T07:00:00Z", "vcs.modified", "true", "GOOS", "linux", "GOARCH", "arm64", "-tags", "xla"),
			Build{Commit: commit, Time: "2026-11-28T07:00:00Z", Modified: true, OS: "linux", Arch: "arm64", Tags: "xla"},
		},
	} {
		c.want.Version, c.want.Go = Number, "go1.26"
		if got := Of(&debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: c.main}, Settings: c.settings}); got != c.want {
			t.Errorf("%s: %+v, expected %+v", c.main, got, c.want)
		}
	}
}
