package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Target returns where Write puts a file. Links are followed. What is there and is no regular file is refused: a device or a pipe would
// be replaced by a file.
func Target(path string) (string, error) {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file; choose another name", path)
	}
	return follow(path)
}

// follow returns what a path leads to if it is a link, or else the path.
func follow(path string) (string, error) {
	st, err := os.Lstat(path)
	if err != nil || st.Mode()&fs.ModeSymlink == 0 {
		return path, nil //nolint:nilerr // who writes there says what is wrong
	}
	to, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%s is a link that leads nowhere (%w); choose another name", path, err)
	}
	return to, nil
}

// Resolve returns a path from the root and without links. Its last elements need not be there yet.
func Resolve(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for rest := ""; ; {
		if to, err := filepath.EvalSymlinks(abs); err == nil {
			return filepath.Join(to, rest)
		}
		parent := filepath.Dir(abs)
		if parent == abs {
			return filepath.Join(abs, rest)
		}
		abs, rest = parent, filepath.Join(filepath.Base(abs), rest)
	}
}

// Within tells whether a path is a folder, or would lie in it.
func Within(path, folder string) bool {
	rel, err := filepath.Rel(Resolve(folder), Resolve(path))
	return err == nil && filepath.IsLocal(rel)
}

// Free returns where Folder puts a folder, from the root. Links are followed. One that holds something is refused, and so is an empty
// one that can't be replaced: the working folder, or where a disk is mounted.
func Free(path string) (string, error) {
	to, err := follow(filepath.Clean(path))
	if err == nil {
		to, err = filepath.Abs(to)
	}
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(to)
	if errors.Is(err, fs.ErrNotExist) {
		return to, nil
	}
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("%s is not empty", path)
	}
	at, err := os.Stat(to)
	if err != nil {
		return "", err
	}
	if here, err := os.Stat("."); err == nil && os.SameFile(at, here) {
		return "", fmt.Errorf("%s is the working folder, which can't be replaced; name a new folder in it", path)
	}
	if err := moves(to); err != nil {
		return "", fmt.Errorf("%s can't be replaced (%w); name a new folder in it", path, err)
	}
	return to, nil
}

// moves moves an empty folder away and back. A mount can't be moved.
func moves(dir string) error {
	aside, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".*"+partial)
	if err != nil {
		return err
	}
	if err := os.Remove(aside); err != nil {
		return err
	}
	var link *os.LinkError // with two long paths
	if err := os.Rename(dir, aside); errors.As(err, &link) {
		return link.Err
	}
	return os.Rename(aside, dir)
}

// Prepare has write make a file beside path, which may be there. Then keep puts it in path's place, and drop removes it.
func Prepare(path string, write func(path string) error) (keep, drop func() error, err error) {
	if path, err = Target(path); err != nil {
		return nil, nil, err
	}
	f, err := begin(path)
	if err != nil {
		return nil, nil, err
	}
	keep, drop = func() error { return os.Rename(f.Name(), path) }, func() error { return os.Remove(f.Name()) }
	if err := errors.Join(f.Close(), write(f.Name())); err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	return keep, drop, nil
}
