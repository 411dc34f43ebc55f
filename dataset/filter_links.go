package dataset

import (
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// symlink copies a link. It leads to the copy of what lies in the data, and from its new place to what lies elsewhere.
func (c *treeCopy) symlink(rel string) error {
	target, err := os.Readlink(c.from(rel))
	if err != nil {
		return err
	}
	if filepath.IsAbs(target) {
		return c.leadsTo(target, rel, rel)
	}
	real := filepath.Join(atomicfile.Resolve(filepath.Dir(c.from(rel))), target)
	if _, in := c.inside(real); in {
		return c.leadsTo(real, rel, rel)
	}
	target, err = filepath.Rel(filepath.Dir(filepath.Join(atomicfile.Resolve(c.final), filepath.FromSlash(rel))), real)
	if err != nil {
		return err
	}
	return os.Symlink(target, c.to(rel))
}

// leadsTo puts a link to a target at a place in the copy: to the target's own copy, if it has one. The file, which lay at from, stands
// for one whose copy is dropped.
func (c *treeCopy) leadsTo(target, from, at string) error {
	in, ok := c.inside(target)
	switch {
	case !ok:
		return os.Symlink(target, c.to(at))
	case !c.written(in):
		return copyFile(c.ctx, c.from(from), c.to(at))
	}
	target, err := filepath.Rel(filepath.FromSlash(path.Dir(at)), filepath.FromSlash(in))
	if err != nil {
		return err
	}
	return os.Symlink(target, c.to(at))
}

// inside returns a path relative to the data, if it lies in them, by its name or without links.
func (c *treeCopy) inside(target string) (rel string, ok bool) {
	real := atomicfile.Resolve(c.base)
	for _, x := range [][2]string{{absolute(c.base), target}, {real, target}, {real, atomicfile.Resolve(target)}} {
		if rel, err := filepath.Rel(x[0], x[1]); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel), true
		}
	}
	return "", false
}

// written tells whether a file or folder of the data is copied under its own name.
func (c *treeCopy) written(rel string) bool {
	if c.listed != nil {
		return c.listed[rel]
	}
	return !c.files[rel]
}

// left notes a dropped link, or file in a linked folder, whose own file stays.
func (c *treeCopy) left(rel string) {
	if in, ok := c.inside(atomicfile.Resolve(c.from(rel))); ok && in != rel && c.written(in) && !slices.Contains(c.moves.from, rel) {
		c.stay = append(c.stay, in)
	}
}
