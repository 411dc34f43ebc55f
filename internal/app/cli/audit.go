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
	var out, baseline string
	var resume, fail bool
	c := &cobra.Command{
		Use:   "audit",
		Short: "What is suspicious in this data?",
		Long: `Looks for planted images and says what it found: poisoned, no evidence of
poison, or can't tell. suspects.csv lists all images, those that look poisoned
first, with their probability of being so; report.html shows them. No model is
trained.

What a verdict can and can't promise stands in docs/verdict.md. With
--fail-on-findings the verdict "poisoned" exits with 3.

--baseline compares with an earlier audit: only suspects that it did not have
count as findings, and new-suspects.csv lists them. Images are told by their
content and label, so that names and order may change.`,
		Example: `  unpoison audit --data DIR --out audit
  unpoison audit --data DIR --out audit --fail-on-findings --json
  unpoison audit --data DIR --out audit2 --baseline audit --fail-on-findings`,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("--out is required: a folder for the list of suspects")
			}
			if err := rec.check(c, "auto"); err != nil {
				return err
			}
			var earlier *runs.Baseline
			if baseline != "" {
				var err error
				if earlier, err = runs.ReadBaseline(baseline); err != nil {
					return err
				}
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
				Command: a.command(), Data: d, Defense: runs.AuditOnly, Audit: true, Options: o, Auto: rec.auto, Folder: out, Resume: resume, Watch: a.watcher(), Baseline: earlier,
			})
			a.done()
			if err != nil {
				return err
			}
			if err := a.report(out, done.Result); err != nil {
				return err
			}
			text := findings(done.Result, out)
			if text == "" {
				return nil
			}
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
	c.Flags().StringVar(&baseline, "baseline", "", "`DIR` of an earlier audit, whose suspects are known")
	c.Flags().BoolVar(&fail, "fail-on-findings", false, "exit with 3 if something looks planted")
	return c
}

// findings says what an audit found that is news; empty if nothing.
func findings(r *runs.Result, folder string) string {
	v, b := r.Verdict, r.Baseline
	switch {
	case v.Says < look.Shortcut:
		return ""
	case b == nil:
		return fmt.Sprintf("%d images look poisoned (%.1f %% of the set); see %s", v.Removed, 100*v.Rate, filepath.Join(folder, runs.SuspectsFile))
	case b.New() == 0:
		return ""
	}
	return fmt.Sprintf("%d more images look poisoned than in the baseline; see %s", b.New(), filepath.Join(folder, runs.NewSuspectsFile))
}

// say prints for people, not for programs.
func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.out, format, args...)
	}
}
