package dataset

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// Filter writes the data without the training images marked in drop to the folder out, in its own layout and with its
// own bytes: files are copied, records written as they were. d must be as Load returned it, at the
// images' own size.
func Filter(d *Data, drop []bool, out string) error {
	switch d.Layout {
	case "cifar10", "cifar100":
		var keep []int
		for i := range drop {
			if !drop[i] {
				keep = append(keep, i)
			}
		}
		return Write(d.Layout, out, &Data{Train: d.Train.Subset(keep), Test: d.Test})
	case "folder", "gtsrb", "table":
		files := map[string]bool{}
		for i := range drop {
			if drop[i] {
				files[filepath.ToSlash(d.Train.Source(i))] = true
			}
		}
		return copyWithout(d.Path, files, out)
	}
	return fmt.Errorf("data of the format %s can't be written; a list of what is kept can (--list)", d.Layout)
}

// copyWithout copies a folder but for some files, and leaves their lines out of the tables in it.
func copyWithout(dir string, files map[string]bool, out string) error {
	return filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		to := filepath.Join(out, rel)
		switch {
		case e.IsDir():
			return os.MkdirAll(to, 0o755)
		case files[rel] || !e.Type().IsRegular():
			return nil
		case slices.Contains(tableSuffixes, strings.ToLower(filepath.Ext(rel))):
			raw, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			return atomicfile.WriteBytes(to, linesWithout(raw, filepath.ToSlash(filepath.Dir(rel)), files))
		}
		return copyFile(p, to)
	})
}

// linesWithout drops a table's lines that name one of the files, relative to the table's folder or to
// the data's.
func linesWithout(table []byte, dir string, files map[string]bool) []byte {
	var kept []byte
	for line := range bytes.Lines(table) {
		drop := false
		for _, field := range bytes.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(",;\t\"\r\n", r) }) {
			name := string(bytes.TrimSpace(field))
			if name != "" && (files[name] || files[filepath.ToSlash(filepath.Join(dir, name))]) {
				drop = true
			}
		}
		if !drop {
			kept = append(kept, line...)
		}
	}
	return kept
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return atomicfile.Write(to, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}
