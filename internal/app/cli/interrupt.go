package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/train"
)

// stopping says what an interrupt makes the command of some arguments do.
func stopping(args []string) string {
	c, _, err := (&app{}).root().Find(args)
	if err == nil && (c.Flags().Lookup("resume") != nil || inExperiment(c)) {
		return "stopping and saving"
	}
	return "stopping"
}

func inExperiment(c *cobra.Command) bool { return c.HasParent() && c.Parent().Name() == "experiment" }

// interrupted says how a command that was interrupted can go on, if what it saved is there.
func interrupted(c *cobra.Command, err error) string {
	text := "unpoison: interrupted"
	failed := experiment.Beside(err, context.Canceled)
	switch {
	case inExperiment(c):
		if text += "; the same command goes on from here"; failed != nil {
			text += ". Some of it failed:\n" + failed.Error()
		}
	case c.Flags().Lookup("resume") == nil:
		if failed != nil {
			text += ": " + failed.Error()
		}
	case failed != nil:
		text += ", and saving failed"
		if hasCheckpoint(c) {
			text += "; the same command with --resume goes on from what was saved before"
		}
		text += ": " + failed.Error()
	case hasCheckpoint(c):
		text += "; the same command with --resume goes on from here"
	default:
		text += " before anything was saved"
	}
	return text
}

func hasCheckpoint(c *cobra.Command) bool {
	out := c.Flags().Lookup("out")
	if out == nil {
		return false
	}
	_, err := os.Stat(filepath.Join(out.Value.String(), train.ProgressFile))
	return err == nil
}
