package cli

import (
	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
)

// setShard reads --shard.
func (f *gridFlags) setShard(text string) (err error) {
	if text == "" {
		return nil
	}
	if f.cell != "" {
		return usagef("--shard and --cell: a cell is run alone; leave one of the two out")
	}
	if f.shard, err = experiment.ParseShard(text); err != nil {
		return usagef("--%w", err)
	}
	return nil
}

func (a *app) experimentJoin() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "join DIR...",
		Short: "Join the results of several machines for one grid",
		Long: `Copies the finished cells from the folders to --out and makes the tables and
plots of all of them. A cell that is in several folders has to be the same in
each. To run missing cells, use experiment run with the same --out.`,
		Example: `  unpoison experiment join node1 node2 node3 --out results`,
		Args:    someArguments("experiment join takes the folders of experiment run --shard"),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				return usagef("--out is required: a folder for the results")
			}
			b, err := a.backend()
			if err != nil {
				return err
			}
			r := &experiment.Runner{Folder: out, Backend: b, Cache: (&attackFlags{}).cacheDir(), Say: a.line}
			finished, all, err := r.Join(args)
			if err != nil {
				return err
			}
			if err := r.Write(a.command()); err != nil {
				return err
			}
			r.Say("%s: %d of %d cells are finished", r.Grid.Name, finished, all)
			return a.printGrid(r, out, map[string]any{"finished": finished, "cells": all})
		},
	}
	c.Flags().StringVar(&out, "out", "", "`DIR` for the runs, tables and plots")
	return c
}
