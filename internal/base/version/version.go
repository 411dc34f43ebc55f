// Package version has the version of this program.
package version

import "runtime/debug"

// Number is the released version that this code leads to.
const Number = "0.1.0"

// String returns the version, with the commit where the build knows it.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Number
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return Number + "+" + s.Value[:12]
		}
	}
	return Number
}
