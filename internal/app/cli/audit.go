package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/app/runs"
)

func (a *app) audit() *cobra.Command {
	var data dataFlags
	var rec recipeFlags
	var out string
	var resume, fail bool
	c := &cobra.Command{
		Use:   "audit",
		Short: "What is suspicious in this data?",
		Long: `Looks for planted images and says what it found: poisoned, no evidence of
poison, or can't tell. suspects.csv lists all images, those that look poisoned
first, with their probability of being so; report.html shows them. No model is
trained.

What a verdict can and can't promise stands in docs/auto.md. With
--fail-on-findings the verdict "poisoned" exits with 3.`,
		Example: `  unpoison audit --data DIR --out audit
  unpoison audit --data DIR --fail-on-findings --json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("--out is required: a folder for the list of suspects")
			}
			if err := rec.check(c, "auto"); err != nil {
				return err
			}
			d, err := data.load(c.Context(), a, rec.o.Seed)
			if err != nil {
				return err
			}
			o, err := rec.options(c, d)
			if err != nil {
				return err
			}
			b, err := a.backend()
			if err != nil {
				return err
			}
			done, err := runs.Train(c.Context(), runs.Spec{
				Backend: b,
				Command: a.command(), Data: d, Defense: "audit", Audit: true, Options: o, Auto: rec.auto, Folder: out, Resume: resume, Watch: a.watcher(),
			})
			a.done()
			if err != nil {
				return err
			}
			if err := a.report(out, done.Result); err != nil {
				return err
			}
			v := done.Result.Verdict
			if v.Says != look.Poisoned {
				return nil
			}
			text := fmt.Sprintf("%d images look poisoned (%.1f %% of the set); see %s", v.Removed, 100*v.Rate, filepath.Join(out, runs.SuspectsFile))
			if fail {
				return &findingsError{text}
			}
			a.say("%s\n", text)
			return nil
		},
	}
	data.add(c)
	rec.add(c, false)
	c.Flags().StringVar(&out, "out", "", "`DIR` for the list of suspects")
	c.Flags().BoolVar(&resume, "resume", false, "go on where an earlier audit stopped")
	c.Flags().BoolVar(&fail, "fail-on-findings", false, "exit with 3 if something looks planted")
	return c
}

// say prints for people, not for programs.
func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.out, format, args...)
	}
}
