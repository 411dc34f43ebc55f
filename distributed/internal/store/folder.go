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
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		k, err := s.Put(ctx, data)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all.Files = append(all.Files, file{filepath.ToSlash(rel), k, int64(len(data))})
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

// GetFolder writes a kept folder's files below dir, those of the last names at the end. Names that would leave it are an error.
func (s *Store) GetFolder(ctx context.Context, k Key, dir string, last ...string) error {
	text, err := s.Get(ctx, k)
	if err != nil {
		return err
	}
	var all folder
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%w: %s is no folder: %w", ErrDamaged, k, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	slices.SortStableFunc(all.Files, func(a, b file) int { return slices.Index(last, a.Name) - slices.Index(last, b.Name) })
	for _, f := range all.Files {
		name := filepath.FromSlash(f.Name)
		if !filepath.IsLocal(name) || strings.Contains(f.Name, `\`) {
			return fmt.Errorf("%w: %s: the file name %q leaves the folder", ErrDamaged, k, f.Name)
		}
		data, err := s.Get(ctx, f.Key)
		if err != nil {
			return err
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// PutFile keeps a file as a folder that holds it alone.
func (s *Store) PutFile(ctx context.Context, path string) (Key, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	k, err := s.Put(ctx, data)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(folder{[]file{{filepath.Base(path), k, int64(len(data))}}})
	if err != nil {
		return "", err
	}
	return s.Put(ctx, text)
}
