//go:build unix

package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Pipes are refused before any work where a file is written, or read twice.
func TestPipesAreNoFiles(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	pipe := filepath.Join(dir, "pipe.npy")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for want, args := range map[string][]string{
		"expected a file, found a device or a pipe; choose another --out":      {"features", "--data", data, "--backbone", "x.onnx", "--out", pipe},
		"expected a file, found a device or a pipe; choose another --list":     {"data", "filter", "--data", data, "--suspects", "x", "--list", pipe},
		"expected a file, found a device or a pipe; choose another --markdown": {"experiment", "detect", "table", "--out", dir, "--markdown", pipe},
		"is read twice with --correct: expected a file":                        {"data", "filter", "--data", data, "--suspects", pipe, "--correct", "--out", filepath.Join(dir, "out")},
	} {
		if code, _, errs := call(args...); code == exitDone || !strings.Contains(errs, want) {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	if st, err := os.Lstat(pipe); err != nil || st.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("%v, %v", st, err)
	}
}
