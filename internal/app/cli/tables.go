package cli

import (
	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/experiment"
)

func (a *app) experimentTables() *cobra.Command {
	var results string
	c := &cobra.Command{
		Use:   "tables FILE|DIR...",
		Short: "Make tables and plots in Markdown files again from kept results",
		Long: `Between two lines of a Markdown file

  <!-- generated: NAME -->
  <!-- end -->

a table is made again from --results. NAME is one of
  SET/FILE      the grid or table in SET/FILE.jsonl
  SET           all grids of a folder, with their plots
  gap SET/FILE  what a grid's defended networks do otherwise than those that
                were trained before the attack
  measured      how often verdicts are right, by data and attack
  summary DATA: ATTACK...; DATA: ATTACK...
                what no defence and ABL leave of attacks, from the folder paper
The rest of the file stays as it is.`,
		Example: `  unpoison experiment auto cifar10 --data DIR --out runs --keep results/auto
  unpoison experiment tables README.md docs --results results`,
		Args: someArguments("experiment tables takes Markdown files, or folders of them"),
		RunE: func(_ *cobra.Command, args []string) error { return experiment.Fill(results, args...) },
	}
	c.Flags().StringVar(&results, "results", "results", "`DIR` of folders of kept results")
	return c
}
