// Package engines makes the backend that --engine names.
package engines

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/backend/cpu"
)

// Names lists the engines.
func Names() []string { return []string{"cpu", "xla"} }

// New returns the engine of that name. Of the processor's threads cpu uses as many at most for one computation, or all
// for 0.
func New(name string, threads int) (backends.Backend, error) {
	switch name {
	case "cpu":
		if threads > 0 {
			return cpu.New(fmt.Sprintf("threads=%d", threads))
		}
		return cpu.New("")
	case "xla":
		return newXLA()
	}
	return nil, fmt.Errorf("no engine %q; there are %v", name, Names())
}

// Describe names an engine with what it runs on, for results.
func Describe(b backends.Backend) string {
	if _, ok := b.(*cpu.Backend); ok {
		return "cpu (" + cpu.InstructionSet() + ")"
	}
	name, _, _ := strings.Cut(b.Description(), " - ") // what follows holds paths
	return name
}
