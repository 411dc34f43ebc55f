package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	words "github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/internal/app/runs"
)

func (a *app) audit() *cobra.Command {
	var data dataFlags
	var rec recipeFlags
	var f auditFlags
	c := &cobra.Command{
		Use:   "audit",
		Short: "Search a data set for planted images",
		Long: `Searches for planted images and gives one of four verdicts:

  poisoned               mislabelled images share something: a trigger
  shortcut               images under one label share a mark, and their labels
                         are correct: a clean-label attack or an honest mark
  can't tell             some images stand out, but not clearly
  no evidence of poison  nothing stands out

It writes suspects.csv, a list of all images with the most suspicious first,
odd-labels.csv with images that are probably just mislabelled, and report.html,
which shows them. No model is kept. docs/verdict.md says what a verdict means.

--fail-on poisoned exits with 3 if the verdict is poisoned, --fail-on shortcut
if it is poisoned or shortcut, and --fail-on any also if it is can't tell.
--baseline compares with an earlier audit: only new suspects, which are listed
in new-suspects.csv, and new doubtful images count, whatever their names.`,
		Example: `  unpoison audit --data DIR --out audit
  unpoison audit --data DIR --out audit --fail-on shortcut --json
  unpoison audit --data DIR --out audit2 --baseline audit --fail-on shortcut`,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.out == "" {
				return data.noOut("a folder for the report")
			}
			least, err := failing(f.failOn, f.fail)
			if err != nil {
				return err
			}
			if err := rec.check(c, "auto"); err != nil {
				return err
			}
			if f.spike && rec.features != "" {
				return usagef("--spike plants triggers in the images, and --features are of the images without them: give one of the two")
			}
			earlier, err := f.earlier()
			if err != nil {
				return err
			}
			data.opts.Only, data.opts.Smaller = dataset.OnlyTrain, rec.smaller()
			d, err := data.load(c.Context(), a, rec.o.Seed)
			if err != nil {
				return err
			}
			o, err := rec.options(c, d)
			if err != nil {
				return err
			}
			features, err := rec.load(a, d)
			if err != nil {
				return err
			}
			b, err := a.backend()
			if err != nil {
				return err
			}
			done, err := runs.Train(c.Context(), runs.Spec{
				Backend: b,
				Command: a.command(), Data: d, ReadWith: data.given(c), Defense: runs.AuditOnly, Audit: true, Options: o, Auto: rec.auto, Folder: f.out, Resume: f.resume, Expect: true, Spike: f.spike, Watch: a.watcher(), Baseline: earlier, Features: features,
			})
			a.done()
			if err != nil {
				return err
			}
			if err := a.report(f.out, done.Result); err != nil {
				return err
			}
			return a.conclude(done.Result, f.out, least)
		},
	}
	data.add(c)
	rec.add(c, false)
	f.add(c)
	return c
}

// auditFlags are those of audit alone.
type auditFlags struct {
	out, baseline, failOn string
	resume, fail, spike   bool
}

func (f *auditFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.out, "out", "", "`DIR` for the report and the list of suspects")
	c.Flags().BoolVar(&f.resume, "resume", false, "continue where an earlier audit stopped")
	c.Flags().StringVar(&f.baseline, "baseline", "", "`DIR` of an earlier audit to compare with")
	c.Flags().BoolVar(&f.spike, "spike", false, "also audit 3 copies with known attacks planted in them, to measure from which poisoning rate on these are found (takes over 4 times as long)")
	c.Flags().BoolVar(&f.fail, "fail-on-findings", false, "the same as --fail-on any")
	c.Flags().StringVar(&f.failOn, "fail-on", "", "exit with 3 on the verdict `WORD` or a worse one: poisoned, shortcut or any")
}

// earlier reads an earlier audit, if one is named. That of --out would know all that is found.
func (f *auditFlags) earlier() (*runs.Baseline, error) {
	if f.baseline == "" {
		return nil, nil
	}
	if onePlace(runs.BaselineFile(f.baseline), filepath.Join(f.out, runs.SuspectsFile)) {
		return nil, usagef("--baseline %s is the audit in --out, and no earlier one; choose another --out", f.baseline)
	}
	return runs.ReadBaseline(f.baseline)
}

// conclude says what is news, as an error from a word on.
func (a *app) conclude(r *runs.Result, folder string, least look.Says) error {
	text, says := findings(r, folder)
	if text != "" && says >= least {
		return &findingsError{text}
	}
	if text != "" {
		a.say("%s\n", text)
	}
	return nil
}

// failing returns the least word that a verdict fails with; none of them without flags.
func failing(on string, findings bool) (look.Says, error) {
	switch {
	case findings && on != "" && on != "any":
		return 0, usagef("--fail-on-findings is --fail-on any, and --fail-on is %s: give one of them", on)
	case findings || on == "any":
		return look.CantTell, nil
	case on == "shortcut":
		return look.Shortcut, nil
	case on == "poisoned":
		return look.Poisoned, nil
	case on == "":
		return look.Poisoned + 1, nil
	}
	return 0, usagef("--fail-on %s: expected poisoned, shortcut or any", on)
}

// findings says what an audit found that is news, and with which word; nothing if there is none.
func findings(r *runs.Result, folder string) (string, look.Says) {
	v, b := r.Verdict, r.Baseline
	says := v.Says
	if b != nil {
		says = b.Says(v)
	}
	page := filepath.Join(folder, runs.ReportFile)
	next := "\ngo through them: " + calledAs() + " review " + words.Folder(folder)
	text := ""
	switch {
	case says == look.NoEvidence:
	case b != nil && b.New() > 0:
		text = fmt.Sprintf("%d more images than in the baseline %s; see %s", b.New(), runs.Seem(v, says), filepath.Join(folder, runs.NewSuspectsFile))
	case b != nil:
		text = fmt.Sprintf("whether images were planted can't be told; %d more than in the baseline stand out; see %s%s", b.NewInDoubt, page, next)
	case v.Removed == 0:
		text = fmt.Sprintf("whether images were planted can't be told; see %s%s", page, next)
	default:
		text = fmt.Sprintf("%d images (%.1f %% of the set) %s; see %s%s", v.Removed, 100*v.Rate, runs.Seem(v, says), page, next)
	}
	return text, says
}

// say prints for people, not for programs.
func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.out, format, args...)
	}
}
