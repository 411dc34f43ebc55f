//go:build !linux

package engine

func hugePages([]byte) {}
