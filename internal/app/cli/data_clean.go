package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/sysinfo"
)

func (a *app) dataClean() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "clean",
		Short: "Remove the decoded images that commands keep",
		Long: `Removes the files of decoded images that commands keep in --store or in the
user's cache folder, and what killed commands left there. The data sets stay;
the next command decodes them again. A command that is reading these files
meanwhile is not disturbed.`,
		Example: `  unpoison data clean
  unpoison data clean --store DIR`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := cleaned(c, &dir); err != nil {
				return err
			}
			files, size, err := dataset.CleanStore(dir)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"store": dir, "files": files, "bytes": size})
			}
			fmt.Fprintf(a.out, "%s: %d files removed, %s\n", dir, files, sysinfo.Size(size))
			return nil
		},
	}
	c.Flags().StringVar(&dir, "store", "", "`DIR` with decoded images (default the user's cache folder)")
	return c
}

// cleaned is the folder that is cleaned: one that was named has to be there.
func cleaned(c *cobra.Command, dir *string) error {
	if !c.Flags().Changed("store") {
		var err error
		*dir, err = dataset.DefaultStore()
		return err
	}
	if st, err := os.Stat(*dir); err != nil || !st.IsDir() {
		return fmt.Errorf("--store %s: there is no such folder", *dir)
	}
	return nil
}
