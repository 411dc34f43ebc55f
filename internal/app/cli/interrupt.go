package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// interrupted says how a command that was interrupted can go on, if what it saved is there.
func interrupted(c *cobra.Command, err error) string {
	text := "unpoison: interrupted"
	failed := beside(err)
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

// beside returns the parts of an error that are not the end of the context.
func beside(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // its own parts, not those within
		var rest []error
		for _, e := range many.Unwrap() {
			rest = append(rest, beside(e))
		}
		return errors.Join(rest...)
	}
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if within := errors.Unwrap(err); within != nil {
		return beside(within)
	}
	return nil
}
