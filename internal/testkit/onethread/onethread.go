// Package onethread gives the tests of a package that imports it one thread. Packages are tested beside each other, and an engine's
// idle threads stay awake.
package onethread

import "runtime"

func init() { runtime.GOMAXPROCS(1) }
