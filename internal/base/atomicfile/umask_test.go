//go:build unix

package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Files and folders get the permissions that the umask leaves; a file that is written over keeps its own.
func TestPermissions(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	for umask, want := range map[int][2]os.FileMode{0o077: {0o600, 0o700}, 0o002: {0o664, 0o775}} {
		syscall.Umask(umask)
		dir := t.TempDir()
		file, kept, folder := filepath.Join(dir, "file"), filepath.Join(dir, "kept"), filepath.Join(dir, "folder")
		if err := os.WriteFile(kept, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(kept, 0o640); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{file, kept} {
			if err := WriteBytes(path, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		prepared := filepath.Join(dir, "prepared")
		keep, _, err := Prepare(prepared, func(path string) error {
			return Write(path, func(w io.Writer) error { return nil })
		})
		if err == nil {
			err = keep()
		}
		if err == nil {
			err = Folder(folder, func(string) error { return nil })
		}
		if err != nil {
			t.Fatal(err)
		}
		for path, mode := range map[string]os.FileMode{file: want[0], prepared: want[0], kept: 0o640, folder: want[1]} {
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != mode {
				t.Errorf("umask %03o: %s is %v, expected %v", umask, filepath.Base(path), st.Mode(), mode)
			}
		}
	}
}
