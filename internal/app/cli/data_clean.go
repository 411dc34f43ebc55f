package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
)

func (a *app) dataClean() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "clean",
		Short: "Remove decoded images that commands have kept",
		Long: `Removes the files of decoded images that commands have kept in a folder of
--store, or in the user's cache, and what commands that were killed left there.
The images themselves stay; the next command decodes them again. A command that
is reading them while they are removed goes on.`,
		Example: `  unpoison data clean
  unpoison data clean --store DIR`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				var err error
				if dir, err = dataset.DefaultStore(); err != nil {
					return err
				}
			}
			files, size, err := dataset.CleanStore(dir)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"store": dir, "files": files, "bytes": size})
			}
			fmt.Fprintf(a.out, "%s: %d files removed, %d MB\n", dir, files, size>>20)
			return nil
		},
	}
	c.Flags().StringVar(&dir, "store", "", "`DIR` with decoded images (default the user's cache)")
	return c
}
