package sysinfo

import "testing"

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1 << 10: "1 kB", 720_000: "703 kB", 1 << 20: "1.0 MB", 3 << 19: "1.5 MB", 100 << 20: "100 MB", 5 << 30: "5120 MB"} {
		if got := Size(bytes); got != want {
			t.Errorf("%d bytes are %q, expected %q", bytes, got, want)
		}
	}
}
