package detect

import (
	"os"
	"runtime"
	"testing"
)

// Packages are tested beside each other, and an engine's idle threads stay awake: one thread each is enough.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	os.Exit(m.Run())
}
