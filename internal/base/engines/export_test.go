//go:build xla

package engines

// LoopText is loopText, for tests that train.
var LoopText = loopText
