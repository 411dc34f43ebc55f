package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// apart refuses folders to write to that lie in data.
func apart(outs []string, datas ...string) error {
	for _, out := range outs {
		for _, data := range datas {
			if out == "" || data == "" {
				continue
			}
			if err := dataset.Outside(out, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOut refuses what a command can't write, that it reads too, or that lies in the data that it reads, before any work is done.
func checkOut(c *cobra.Command) error {
	value := func(name string) string {
		if f := c.Flags().Lookup(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	for _, name := range []string{"data", "clean", "gtsrb", "photos"} {
		if err := notShadowed("--"+name, value(name)); err != nil {
			return err
		}
	}
	for _, out := range outputs {
		if value(out) == "" || out == "cache" && value(out) == noCache || out == "list" && value(out) == printed {
			continue
		}
		if err := checkKind(c.Flags().Lookup(out)); err != nil {
			return err
		}
		if err := keepsInputs([]string{value(out)}, inputs(c)); err != nil {
			return err
		}
		for _, data := range []string{"data", "clean", "gtsrb", "photos"} {
			if value(data) == "" {
				continue
			}
			if err := dataset.Outside(value(out), value(data)); err != nil {
				return errors.New(strings.Replace(err.Error(), "another --out", "another --"+out, 1))
			}
		}
	}
	return nil
}

// outputs are the flags that name what is written.
var outputs = []string{"out", "list", "keep", "markdown", "plots", "cache"}

// inputs returns the texts that a command's other flags were given, the files that it reads among them.
func inputs(c *cobra.Command) (all []string) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(outputs, f.Name) && f.Value.Type() == "string" {
			all = append(all, folderOf(f.Value.String()))
		}
	})
	return all
}

// checkKind refuses a file where a flag takes a folder to write to, and what is no file of its own where it takes a file.
func checkKind(f *pflag.Flag) error {
	path := f.Value.String()
	st, err := os.Stat(path)
	kind, _ := pflag.UnquoteUsage(f)
	switch {
	case err == nil && kind == "DIR" && !st.IsDir():
		return fmt.Errorf("--%s %s: expected a folder, found a file; choose another --%[1]s", f.Name, path)
	case err == nil && kind == "FILE":
		if found := noFile(st); found != "" {
			return fmt.Errorf("--%s %s: expected a file, found %s; choose another --%[1]s", f.Name, path, found)
		}
		return nil
	case err == nil:
		return nil
	}
	if _, err := os.Lstat(filepath.Clean(path)); err == nil {
		return fmt.Errorf("--%s %s is a link that leads nowhere; choose another --%[1]s", f.Name, path)
	}
	for above := filepath.Dir(path); ; above = filepath.Dir(above) {
		st, err := os.Stat(above)
		if err == nil && !st.IsDir() {
			return fmt.Errorf("--%s %s: %s is a file, and no folder; choose another --%[1]s", f.Name, path, above)
		}
		if err == nil || above == filepath.Dir(above) {
			return nil
		}
	}
}

// noFile says what something is that a file should not take the place of; nothing if it is a file.
func noFile(st os.FileInfo) string {
	if st.IsDir() {
		return "a folder"
	}
	if !st.Mode().IsRegular() {
		return "a device or a pipe"
	}
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if printed, err := f.Stat(); err == nil && os.SameFile(st, printed) {
			return "the one that is printed to"
		}
	}
	return ""
}

// emptyFolder refuses a folder to write to that holds something, or that can't be made.
func emptyFolder(out string) error {
	if out == "" {
		return usagef("--out is required: a folder for the poisoned data")
	}
	entries, err := os.ReadDir(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty; choose another --out", out)
	}
	to, err := atomicfile.Free(out)
	if err != nil {
		return err
	}
	above := filepath.Dir(to)
	if err := os.MkdirAll(above, 0o777); err != nil {
		return fmt.Errorf("%w; choose another --out", err)
	}
	probe, err := os.MkdirTemp(above, ".unpoison-*") // better now than after minutes of work
	if err != nil {
		return fmt.Errorf("nothing can be written in %s: %w; choose another --out", above, err)
	}
	return os.Remove(probe)
}

// onePlace tells whether two paths lead to one place, or would.
func onePlace(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y) || atomicfile.Resolve(a) == atomicfile.Resolve(b)
}

// keepsInputs refuses files to write that are among those that are read.
func keepsInputs(outs, inputs []string) error {
	for _, out := range outs {
		at, err := os.Stat(out)
		if err != nil || at.IsDir() {
			continue
		}
		for _, in := range inputs {
			if st, err := os.Stat(in); err == nil && os.SameFile(at, st) {
				return fmt.Errorf("%s would be written over: it is read too; choose another name", out)
			}
		}
	}
	return nil
}
