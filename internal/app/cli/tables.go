package cli

import (
	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
)

func (a *app) experimentTables() *cobra.Command {
	var results string
	c := &cobra.Command{
		Use:   "tables FILE|DIR...",
		Short: "Update tables and plots in Markdown files from kept results",
		Long: `Replaces the text between two such lines of a Markdown file

  <!-- generated: NAME -->
  <!-- end -->

by a table from --results. The rest of the file stays as it is. NAME is one of

  SET/FILE      the grid or table in SET/FILE.jsonl
  SET           all grids of a folder, with their plots
  gap SET/FILE  differences between a grid's defended networks and those that
                were trained before the attack
  measured      how often verdicts are right, by data and attack
  networks      audits with other networks, from the folder detect
  summary DATA: ATTACK...; DATA: ATTACK...
                results with no defence and with ABL, from the folder paper`,
		Example: `  unpoison experiment auto cifar10 --data DIR --out runs --keep results/auto
  unpoison experiment tables README.md docs --results results`,
		Args: someArguments("experiment tables takes Markdown files, or folders of them"),
		RunE: func(_ *cobra.Command, args []string) error { return experiment.Fill(results, args...) },
	}
	c.Flags().StringVar(&results, "results", "results", "`DIR` with the folders of kept results")
	return c
}
