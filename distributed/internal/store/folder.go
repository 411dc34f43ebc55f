package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// folder is how a folder is kept: an object that lists its files, each an object.
type folder struct {
	Files []file `json:"files"`
}

type file struct {
	Name string `json:"name"` // below the folder, with slashes
	Key  Key    `json:"key"`
	Size int64  `json:"size"`
}

// PutFolder keeps a folder's files and returns the folder's key. Files whose names begin with a dot are left out: they
// are unfinished ones. Links and other things that are no plain files are an error.
func (s *Store) PutFolder(ctx context.Context, dir string) (Key, error) {
	var all folder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil // an unfinished one, gone meanwhile
		}
		if err != nil {
			return err
		}
		if path != dir && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is no plain file; a store takes files and folders", path)
		}
		k, n, err := s.putFile(ctx, path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all.Files = append(all.Files, file{filepath.ToSlash(rel), k, n})
		return nil
	})
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	return s.Put(ctx, text)
}

// GetFolder writes a kept folder's files below dir, those of the last names at the end.
func (s *Store) GetFolder(ctx context.Context, k Key, dir string, last ...string) error {
	all, err := s.list(ctx, k)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	slices.SortStableFunc(all, func(a, b file) int { return slices.Index(last, a.Name) - slices.Index(last, b.Name) })
	for _, f := range all {
		if err := s.getFile(ctx, f.Key, root, filepath.FromSlash(f.Name)); err != nil {
			return err
		}
	}
	return nil
}

// list returns the files of a kept folder. Names that would leave it are an error.
func (s *Store) list(ctx context.Context, k Key) ([]file, error) {
	text, err := s.Get(ctx, k)
	if err != nil {
		return nil, err
	}
	var all folder
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%w: %s is no folder: %w", ErrDamaged, k, err)
	}
	for _, f := range all.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) || strings.Contains(f.Name, `\`) {
			return nil, fmt.Errorf("%w: %s: the file name %q leaves the folder", ErrDamaged, k, f.Name)
		}
	}
	return all.Files, nil
}

// HasFolder tells whether a kept folder is there with all its files, by their sizes.
func (s *Store) HasFolder(ctx context.Context, k Key) (bool, error) {
	all, err := s.list(ctx, k)
	switch {
	case errors.Is(err, ErrNone), errors.Is(err, ErrDamaged):
		return false, nil
	case err != nil:
		return false, err
	}
	for _, f := range all {
		if n, err := s.size(ctx, f.Key); err != nil || n != f.Size {
			return false, err
		}
	}
	return true, nil
}

// Same tells whether a folder has the files of a kept one, to the byte, perhaps beside others.
func (s *Store) Same(ctx context.Context, k Key, dir string) (bool, error) {
	all, err := s.list(ctx, k)
	if err != nil {
		return false, err
	}
	for _, f := range all {
		own, err := hashOf(ctx, filepath.Join(dir, filepath.FromSlash(f.Name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err != nil:
			return false, err
		case own != f.Key:
			return false, nil
		}
	}
	return true, nil
}

// PutFile keeps a file as a folder that holds it alone.
func (s *Store) PutFile(ctx context.Context, path string) (Key, error) {
	k, n, err := s.putFile(ctx, path)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(folder{[]file{{filepath.Base(path), k, n}}})
	if err != nil {
		return "", err
	}
	return s.Put(ctx, text)
}
