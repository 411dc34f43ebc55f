// Package atomicfile writes files and folders that appear whole or not at all, and locks folders.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// partial ends the names of what is being written. They begin with a dot, so that nothing reads them.
const partial = ".partial"

// Write creates path with what fill writes: beside it first, then synced and renamed into place. Target says which paths it takes.
// On an error nothing is left behind and an older file stays as it was. After a kill a hidden file is left, which Clean
// removes.
func Write(path string, fill func(w io.Writer) error) (err error) {
	if path, err = Target(path); err != nil {
		return err
	}
	f, err := begin(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = fill(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// begin makes a file beside path, with the permissions of what is there, or else those that new files get.
func begin(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(besides(path), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if st, err := os.Stat(path); err == nil {
			if err := f.Chmod(st.Mode().Perm()); err != nil {
				return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
			}
		}
		return f, nil
	}
}

// besides is a hidden name beside path, another one with each call.
func besides(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d%s", filepath.Base(path), rand.Uint64(), partial))
}

// WriteBytes is Write with the content at hand.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// isPartial reports whether Write or Folder made a name, of any file or, if it is not empty, of the one called of.
func isPartial(name, of string) bool {
	return strings.HasPrefix(name, "."+of) && strings.HasSuffix(name, partial)
}

// Clean removes what writes into dir left behind when they were killed. Nobody else may write there: see Lock.
func Clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if isPartial(e.Name(), "") && !e.IsDir() {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
