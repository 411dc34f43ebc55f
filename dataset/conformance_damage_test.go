package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func addJunk(t *testing.T, dir string, _ *holder) {
	var folders []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			folders = append(folders, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		for _, name := range []string{".DS_Store", "._000.png", "._train.csv", "Thumbs.db", "__MACOSX/cat/._000.png", ".ipynb_checkpoints/000-checkpoint.png"} {
			put(t, filepath.Join(f, name), []byte("junk"))
		}
	}
}

// cutOff takes the end of a file, of an archive so much that the last member is incomplete.
func cutOff(t *testing.T, path string, archive bool) {
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	size := st.Size() - 5
	if archive {
		size = st.Size() - 1024 - 1024 - 600 // the end, the label and a part of the image
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// linkAll moves every file and every folder of images away and leaves links.
func linkAll(t *testing.T, dir string, _ *holder) {
	away := t.TempDir()
	n := 0
	var move func(folder string)
	move = func(folder string) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			from := filepath.Join(folder, e.Name())
			if e.IsDir() && folder == dir {
				move(from)
				continue
			}
			n++
			to := filepath.Join(away, fmt.Sprintf("%d-%s", n, e.Name()))
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(to, from); err != nil {
				t.Fatal(err)
			}
		}
	}
	move(dir)
}

// putFIFO replaces the first file.
func putFIFO(t *testing.T, dir string, h *holder) {
	done := false
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || done || e.IsDir() || h.layout == "table" && !strings.HasSuffix(p, ".png") || strings.Contains(p, "meta") || h.layout == "idx" && strings.HasPrefix(e.Name(), "t10k") {
			return err
		}
		done = true
		if err := os.Remove(p); err != nil {
			return err
		}
		return syscall.Mkfifo(p, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
