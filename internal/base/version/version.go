// Package version has the version of this program.
package version

import (
	"regexp"
	"runtime/debug"
)

// Number is the released version that this code leads to.
const Number = "0.2.0"

// Build says what a binary was built from, and how.
type Build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`      // empty where the build did not know it
	Time     string `json:"commit_time,omitempty"` // RFC 3339
	Modified bool   `json:"modified,omitempty"`    // files differed from the commit
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Tags     string `json:"tags,omitempty"`
}

// pseudo is the end of the version that go install gives to a commit without a tag: its time and its first digits.
var pseudo = regexp.MustCompile(`[-.]\d{14}-([0-9a-f]{12})(\+dirty)?$`)

// Of reads a binary's build information.
func Of(info *debug.BuildInfo) Build {
	b := Build{Version: Number, Go: info.GoVersion}
	if m := pseudo.FindStringSubmatch(info.Main.Version); m != nil {
		b.Commit, b.Modified = m[1], m[2] != ""
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "GOOS":
			b.OS = s.Value
		case "GOARCH":
			b.Arch = s.Value
		case "-tags":
			b.Tags = s.Value
		}
	}
	return b
}

// Current returns what this binary was built from.
func Current() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: Number}
	}
	return Of(info)
}

// String returns the version, with the commit where the build knows it.
func String() string {
	if c := Current().Commit; len(c) >= 12 {
		return Number + "+" + c[:12]
	}
	return Number
}
