package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/unpoison/unpoison/internal/base/version"
)

// manPages returns a page of the manual for each command.
func manPages(root *cobra.Command, at time.Time) ([]file, error) {
	root.DisableAutoGenTag = true
	var pages []file
	var add func(c *cobra.Command) error
	add = func(c *cobra.Command) error {
		if !c.IsAvailableCommand() && c.HasParent() {
			return nil
		}
		var b bytes.Buffer
		header := &doc.GenManHeader{Section: "1", Date: &at, Source: "unpoison " + version.Number, Manual: "unpoison"}
		if err := doc.GenMan(c, header, &b); err != nil {
			return fmt.Errorf("the manual of %s: %w", c.CommandPath(), err)
		}
		pages = append(pages, file{"man/man1/" + strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1", 0o644, b.Bytes()})
		for _, sub := range c.Commands() {
			if err := add(sub); err != nil {
				return err
			}
		}
		return nil
	}
	return pages, add(root)
}

// completions returns what shells load to complete the command line.
func completions(root *cobra.Command) ([]file, error) {
	var files []file
	for _, shell := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"unpoison.bash", func(b *bytes.Buffer) error { return root.GenBashCompletionV2(b, true) }},
		{"_unpoison", func(b *bytes.Buffer) error { return root.GenZshCompletion(b) }},
		{"unpoison.fish", func(b *bytes.Buffer) error { return root.GenFishCompletion(b, true) }},
		{"unpoison.ps1", func(b *bytes.Buffer) error { return root.GenPowerShellCompletionWithDesc(b) }},
	} {
		var b bytes.Buffer
		if err := shell.write(&b); err != nil {
			return nil, fmt.Errorf("%s: %w", shell.name, err)
		}
		files = append(files, file{"completions/" + shell.name, 0o644, b.Bytes()})
	}
	return files, nil
}
