package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
)

// interrupted says how a command that was interrupted can go on, if what it saved is there.
func interrupted(c *cobra.Command, err error) string {
	text := "unpoison: interrupted"
	failed := experiment.Beside(err, context.Canceled)
	switch {
	case c.HasParent() && c.Parent().Name() == "experiment":
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
	_, err := os.Stat(filepath.Join(out.Value.String(), "checkpoint.safetensors"))
	return err == nil
}
