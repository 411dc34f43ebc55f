package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unpoison/unpoison/dataset"
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

// checkOut refuses what a command can't write, or that lies in the data that it reads, before any work is done.
func checkOut(c *cobra.Command) error {
	value := func(name string) string {
		if f := c.Flags().Lookup(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	for _, out := range []string{"out", "list", "keep", "markdown", "cache"} {
		if value(out) == "" || out == "cache" && value(out) == noCache {
			continue
		}
		if err := checkKind(c.Flags().Lookup(out)); err != nil {
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

// checkKind refuses a file where a flag takes a folder to write to, and a folder where it takes a file.
func checkKind(f *pflag.Flag) error {
	path := f.Value.String()
	st, err := os.Stat(path)
	kind, _ := pflag.UnquoteUsage(f)
	switch {
	case err == nil && kind == "DIR" && !st.IsDir():
		return fmt.Errorf("--%s %s: expected a folder, found a file; choose another --%[1]s", f.Name, path)
	case err == nil && kind == "FILE" && st.IsDir():
		return fmt.Errorf("--%s %s: expected a file, found a folder; choose another --%[1]s", f.Name, path)
	case err == nil:
		return nil
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
	above := filepath.Dir(filepath.Clean(out))
	if err := os.MkdirAll(above, 0o755); err != nil {
		return fmt.Errorf("%w; choose another --out", err)
	}
	probe, err := os.MkdirTemp(above, ".unpoison-*") // better now than after minutes of work
	if err != nil {
		return fmt.Errorf("nothing can be written in %s: %w; choose another --out", above, err)
	}
	return os.Remove(probe)
}

// keepsInputs refuses files to write that are among those that are read.
func keepsInputs(outs, inputs []string) error {
	for _, out := range outs {
		at, err := os.Stat(out)
		if out == "" || err != nil {
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
