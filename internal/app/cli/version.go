package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/internal/base/version"
)

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version, its commit and how it was built",
		RunE: func(*cobra.Command, []string) error {
			b := version.Current()
			if a.json {
				return a.printJSON(b)
			}
			fmt.Fprintf(a.out, "unpoison %s\n", b.Version)
			commit := b.Commit
			switch {
			case commit == "":
				commit = "not known to this build"
			case b.Time != "":
				commit += " of " + b.Time
			}
			if b.Modified {
				commit += ", with changes"
			}
			fmt.Fprintf(a.out, "commit   %s\nbuild    %s %s/%s", commit, b.Go, b.OS, b.Arch)
			if b.Tags != "" {
				fmt.Fprintf(a.out, " with %s", b.Tags)
			}
			fmt.Fprintln(a.out)
			return nil
		},
	}
}

// Command returns the command line without running it, for those who document it.
func Command() *cobra.Command { return (&app{out: os.Stdout, err: os.Stderr}).root() }

// firstSteps is what unpoison says without arguments.
const firstSteps = `unpoison finds images that were planted in training data, and trains clean
classifiers on it. Three things to try:

  unpoison demo
      See it work on rendered road signs, in a minute or two. Then open the page
      that it names.

  unpoison audit --data DIR --out audit
      Was something planted in your images, and which are they? DIR holds a
      folder of images for each class, such as DIR/cat/1.jpg and DIR/dog/2.jpg.
      Then go through them: unpoison review audit.

  unpoison train --data DIR --out run
      A clean model from the same images: run/model.safetensors.

unpoison --help lists all commands, unpoison COMMAND --help explains one.
`
