package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// copyTree copies the data's folder, or its one file, without the dropped files. rewrite returns what writes a file
// instead of copying it, or nil. Files that get another place go there.
func (f *filter) copyTree(rewrite func(rel string) func(from, to string) error) error {
	c := &treeCopy{filter: f, rewrite: rewrite, gone: map[string]bool{}}
	for rel := range f.files {
		c.gone[atomicfile.Resolve(filepath.Join(f.base, filepath.FromSlash(rel)))] = true
	}
	if f.only != "" {
		return c.file(f.only)
	}
	if err := c.folder(""); err != nil {
		return err
	}
	if n := len(c.stay); n > 0 {
		c.note("%d dropped images were links: the files that these led to stay in the data, the first is %s", n, c.stay[0])
	}
	return c.moved()
}

type treeCopy struct {
	*filter
	rewrite func(rel string) func(from, to string) error
	gone    map[string]bool // dropped files, without links
	listed  map[string]bool // all that is copied; nil: the whole folder is, but for what is dropped
	stay    []string        // dropped files that links led to, and that are copied under their own names
}

func (c *treeCopy) from(rel string) string { return filepath.Join(c.base, filepath.FromSlash(rel)) }
func (c *treeCopy) to(rel string) string   { return filepath.Join(c.dir, filepath.FromSlash(rel)) }

func (c *treeCopy) folder(rel string) error {
	if err := os.MkdirAll(c.to(rel), 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.from(rel))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		at := path.Join(rel, e.Name())
		switch {
		case c.files[at]:
			c.left(at)
		case e.IsDir():
			err = c.folder(at)
		case e.Type()&fs.ModeSymlink != 0:
			err = c.link(at)
		case e.Type().IsRegular():
			err = c.regular(at)
		default:
			c.note("%s is no file and was not copied", at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// regular copies a file of a folder, but none that no reader reads either.
func (c *treeCopy) regular(rel string) error {
	st, err := os.Stat(c.from(rel))
	if err != nil {
		return err
	}
	if kind := hollow(st); kind != "" {
		c.note("%s is %s, and was not copied", rel, kind)
		return nil
	}
	return c.file(rel)
}

func (c *treeCopy) file(rel string) error {
	if write := c.rewrite(rel); write != nil {
		return write(c.from(rel), c.to(rel))
	}
	return copyFile(c.ctx, c.from(rel), c.to(rel))
}

// link copies a symbolic link. A folder that is linked and of which a file is dropped or changed becomes one of links, and a link
// to a file that is dropped under another name becomes that file.
func (c *treeCopy) link(rel string) error {
	if c.rewrite(rel) != nil {
		return c.file(rel)
	}
	st, err := os.Stat(c.from(rel))
	if err == nil && st.IsDir() {
		changes, err := c.changes(rel)
		if err != nil {
			return err
		}
		if changes {
			return c.linked(rel)
		}
	}
	if err == nil && st.Mode().IsRegular() && c.gone[atomicfile.Resolve(c.from(rel))] {
		return c.file(rel)
	}
	return c.symlink(rel)
}

// changes tells whether something that lies in a linked folder is not copied as it is.
func (c *treeCopy) changes(rel string) (bool, error) {
	inside := func(at string) bool { return strings.HasPrefix(at, rel+"/") }
	for at := range c.files {
		if inside(at) {
			return true, nil
		}
	}
	if slices.ContainsFunc(c.moves.to, inside) {
		return true, nil
	}
	err := c.eachFile(c.from(rel), func(p string) error {
		if at, err := filepath.Rel(c.base, p); err == nil && c.rewrite(filepath.ToSlash(at)) != nil {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

// linked makes a folder of links to what a linked folder holds, but for what is dropped.
func (c *treeCopy) linked(rel string) error {
	if err := os.MkdirAll(c.to(rel), 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.from(rel))
	if err != nil {
		return err
	}
	for _, e := range entries {
		at := path.Join(rel, e.Name())
		if c.files[at] {
			c.left(at)
			continue
		}
		back := within(realPath(c.from(at)), realPath(c.from(rel))) // a link to a folder that this one lies in
		if st, err := os.Stat(c.from(at)); err == nil && st.IsDir() && !back {
			if err := c.linked(at); err != nil {
				return err
			}
			continue
		}
		if c.rewrite(at) != nil { // a table of what lies here
			if err := c.file(at); err != nil {
				return err
			}
			continue
		}
		if err := c.leadsTo(atomicfile.Resolve(c.from(at)), at, at); err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies a regular file and ends when ctx does.
func copyFile(ctx context.Context, from, to string) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s: expected a file, found %s", from, cmp.Or(specialFile(st.Mode()), "a folder"))
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeFile(to, func(w io.Writer) error {
		_, err := io.Copy(w, &interrupted{ctx, in})
		return err
	})
}

// writeFile creates a file in a folder that is renamed when it is whole.
func writeFile(path string, fill func(w io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := fill(out); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// interrupted is a reader that ends with a context.
type interrupted struct {
	ctx context.Context //nolint:containedctx // a reader's methods take none
	in  io.Reader
}

func (r *interrupted) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
