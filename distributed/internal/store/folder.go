package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// folder is how a folder is kept: an object that lists its files, each an object, and the folders in it that have none.
type folder struct {
	Files []file   `json:"files"`
	Empty []string `json:"empty,omitempty"` // names as of files
}

type file struct {
	Name string `json:"name"` // below the folder, with slashes
	Key  Key    `json:"key"`
	Size int64  `json:"size"`
}

// PutFolder keeps a folder's files, and the folders in it, and returns the folder's key. What has a name that begins with a dot is left
// out: it is unfinished. Links and other things that are no plain files are an error.
func (s *Store) PutFolder(ctx context.Context, dir string) (Key, error) {
	var all folder
	var folders []string
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
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != dir {
				folders = append(folders, filepath.ToSlash(rel))
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is no plain file; a store takes files and folders", path)
		}
		k, n, err := s.putFile(ctx, path)
		if err != nil {
			return err
		}
		all.Files = append(all.Files, file{filepath.ToSlash(rel), k, n})
		return nil
	})
	if err != nil {
		return "", err
	}
	all.Empty = empty(folders, all.Files)
	text, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	return s.Put(ctx, text)
}

// empty returns the folders that hold neither a file nor a folder.
func empty(folders []string, files []file) []string {
	holds := map[string]bool{}
	for _, f := range files {
		holds[path.Dir(f.Name)] = true
	}
	for _, f := range folders {
		holds[path.Dir(f)] = true
	}
	return slices.DeleteFunc(folders, func(f string) bool { return holds[f] })
}

// GetFolder writes a kept folder's files and folders below dir, those of the last names at the end.
func (s *Store) GetFolder(ctx context.Context, k Key, dir string, last ...string) error {
	all, err := s.list(ctx, k)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range all.Empty {
		if err := root.MkdirAll(filepath.FromSlash(f), 0o777); err != nil {
			return err
		}
	}
	slices.SortStableFunc(all.Files, func(a, b file) int { return slices.Index(last, a.Name) - slices.Index(last, b.Name) })
	for _, f := range all.Files {
		if err := s.getFile(ctx, f.Key, root, filepath.FromSlash(f.Name)); err != nil {
			return err
		}
	}
	return nil
}

// list returns what a kept folder holds. Names that would leave it are an error.
func (s *Store) list(ctx context.Context, k Key) (*folder, error) {
	text, err := s.Get(ctx, k)
	if err != nil {
		return nil, err
	}
	var all folder
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%w: %s is no folder: %w", ErrDamaged, k, err)
	}
	names := slices.Clone(all.Empty)
	for _, f := range all.Files {
		names = append(names, f.Name)
	}
	for _, n := range names {
		if !filepath.IsLocal(filepath.FromSlash(n)) || path.Clean(n) != n || strings.Contains(n, `\`) {
			return nil, fmt.Errorf("%w: %s: the file name %q leaves the folder", ErrDamaged, k, n)
		}
	}
	return &all, nil
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
	for _, f := range all.Files {
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
	for _, f := range all.Files {
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
	text, err := json.Marshal(folder{Files: []file{{filepath.Base(path), k, n}}})
	if err != nil {
		return "", err
	}
	return s.Put(ctx, text)
}
