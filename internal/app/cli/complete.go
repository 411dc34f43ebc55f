package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/app/features"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
	"github.com/unpoison/unpoison/train"
)

// choices are the values of flags that have few, by the command's and the flag's name or the flag's alone.
var choices = map[string][]string{
	"engine":         engines.Names(),
	"fail-on":        {"poisoned", "shortcut", "any"},
	"scale":          scales,
	"recipe":         recipes,
	"model":          model.Names(),
	"defense":        defenses(),
	"attack":         attack.Builtin().Names(),
	"loss":           isolate.Losses(),
	"lga-sign":       isolate.Signs(),
	"rank-by":        isolate.Ranks(),
	"pool":           {features.First, features.Mean},
	"normalize":      {"imagenet", "none"},
	"schedule":       train.Schedules(),
	"unlearn":        abl.Unlearning(),
	"mode":           abl.Modes(),
	"repair method":  repair.Names(),
	"unlearn method": runs.UnlearnNames(),
}

// complete tells the shell what the flags of a command and of those below it take: folders, files, choices, or what only
// the user knows.
func complete(c *cobra.Command) {
	each := func(f *pflag.Flag) {
		values := choices[c.Name()+" "+f.Name]
		if values == nil {
			values = choices[f.Name]
		}
		what, _ := pflag.UnquoteUsage(f)
		_, known := c.GetFlagCompletionFunc(f.Name)
		switch {
		case known || what == "FILE":
		case strings.Contains(f.Usage, "layout:DIR"): // or a file
		case what == "DIR":
			offer(c, f.Name, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs))
		default:
			offer(c, f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	c.Flags().VisitAll(each)
	c.PersistentFlags().VisitAll(each)
	for _, sub := range c.Commands() {
		complete(sub)
	}
}

// completeCells offers the cells of the grids that a command's arguments and flags name.
func completeCells(c *cobra.Command, grids func(args []string) ([]*experiment.Grid, error)) {
	offer(c, "cell", func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		all, err := grids(args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return experiment.CellNames(all...), cobra.ShellCompDirectiveNoFileComp
	})
}

func offer(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // no such flag, or twice
	}
}
