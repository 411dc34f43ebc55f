// Package engines makes the backend that --engine names.
package engines

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/backend/cpu"
)

// Names lists the engines.
var Names = []string{"cpu", "xla"}

// New returns the engine of that name.
func New(name string) (backends.Backend, error) {
	switch name {
	case "cpu":
		return cpu.New("")
	case "xla":
		return newXLA()
	}
	return nil, fmt.Errorf("no engine %q; there are %v", name, Names)
}

// Describe names an engine with what it runs on, for results.
func Describe(b backends.Backend) string {
	if _, ok := b.(*cpu.Backend); ok {
		return "cpu (" + cpu.InstructionSet() + ")"
	}
	return b.Name()
}
