package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder creates path with what fill puts into a hidden folder beside it, which is then synced and renamed. Free says which paths it
// takes. On an error nothing is left behind; what a killed process left is removed by the next call for the same path.
func Folder(path string, fill func(dir string) error) (err error) {
	if path, err = Free(path); err != nil {
		return err
	}
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	if err := removeAbandoned(parent, filepath.Base(path)); err != nil {
		return err
	}
	dir := besides(path)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	unlock, err := Lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := fill(dir); err != nil {
		return err
	}
	if err := flush(dir); err != nil { // once, for however many files
		return err
	}
	if err = os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.Rename(dir, path)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: another process wrote it meanwhile; choose another --out", path)
	}
	return err
}

// removeAbandoned removes the partial folders for name that no process holds.
func removeAbandoned(parent, name string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if !e.IsDir() || !isPartial(e.Name(), name+".") {
			continue
		}
		unlock, err := Take(dir)
		if errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = os.RemoveAll(dir)
		unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
