package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// OwnFolder makes a folder in another one for this process, and removes those that processes of this machine left there under the
// same prefix when they were killed. The caller calls remove at the end.
func OwnFolder(parent, prefix string) (dir string, remove func() error, err error) {
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return "", nil, err
	}
	if host, err := os.Hostname(); err == nil {
		prefix += strings.NewReplacer("/", "", `\`, "", ":", "", "*", "").Replace(host) + "-"
	}
	for {
		if dir, err = os.MkdirTemp(parent, prefix+"*"); err != nil {
			return "", nil, err
		}
		unlock, err := atomicfile.Lock(dir)
		if err == nil {
			if _, err = os.Stat(dir); err != nil {
				unlock()
			}
		}
		switch {
		case errors.Is(err, atomicfile.ErrLocked), errors.Is(err, fs.ErrNotExist):
			continue // another process just took it for one that was left
		case err != nil:
			unlock = func() {}
		case locks(dir):
			removeLeft(parent, prefix)
		}
		return dir, func() error {
			defer unlock()
			return os.RemoveAll(dir)
		}, nil
	}
}

// locks tells whether others see that a folder is locked: not all file systems have locks.
func locks(dir string) bool {
	unlock, err := atomicfile.Lock(dir)
	if err == nil {
		unlock()
	}
	return errors.Is(err, atomicfile.ErrLocked)
}

// removeLeft removes the folders of a prefix that no process holds. What can't be removed stays.
func removeLeft(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		number, ours := strings.CutPrefix(e.Name(), prefix)
		if !ours || !e.IsDir() || strings.Trim(number, "0123456789") != "" {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		if unlock, err := atomicfile.Lock(dir); err == nil {
			_ = os.RemoveAll(dir)
			unlock()
		}
	}
}
