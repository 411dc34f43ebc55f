package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/review"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/printable"
)

func (a *app) review() *cobra.Command {
	var data dataFlags
	var reviewer string
	var port int
	c := &cobra.Command{
		Use:   "review RUN",
		Short: "Keep or drop the suspects of a run, in a browser",
		Long: `Shows the suspects of an audit or a training run in a browser on this machine.
Every decision is stored at once, in RUN/reviews/NAME.json. Several people may
review one run, each under a different name. "Finish" writes RUN/decisions.csv
and shows the command that filters the data by it. Only this machine can reach
the page, and only with the complete address, which is new each time.`,
		Example: `  unpoison review audit
  unpoison review audit --reviewer ann
  unpoison review audit --data moved/images`,
		Args: oneArgument("review takes the folder of one audit or training"),
		RunE: func(c *cobra.Command, args []string) error {
			if port < 0 || port > 65535 {
				return usagef("--port %d, expected 1 to 65535, or 0 for any that is free", port)
			}
			d, err := reviewed(c, a, &data, args[0])
			if err != nil {
				return err
			}
			if !c.Flags().Changed("reviewer") { // the manual names nobody
				reviewer = review.DefaultReviewer()
			}
			r, err := review.Open(args[0], d.Train, reviewer)
			if err != nil {
				return err
			}
			if err := r.Replaceable(); err != nil {
				fmt.Fprintln(a.err, printable.Text("note: "+err.Error()))
			}
			whole := runs.DataInfo{ReadWith: data.given(c)}
			r.Program, r.Spec, r.ReadWith = calledAs(), data.spec, whole.Whole()
			s, err := review.Listen(r, port)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(map[string]string{"url": s.URL()})
			} else {
				_, err = fmt.Fprintf(a.out, "open %s\nCtrl-C ends; every decision is stored when it is made\n", s.URL())
			}
			if err != nil {
				return err
			}
			if err := s.Serve(c.Context()); err != nil {
				return err
			}
			decided, disagreed, err := r.End()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"decisions": decided, "disagreed": disagreed, "command": r.Command()})
			}
			if disagreed > 0 {
				fmt.Fprintf(a.out, "images that reviewers disagree on: %d\n", disagreed)
			}
			if decided > 0 {
				fmt.Fprintf(a.out, "decisions: %d; filter with\n  %s\n", decided, r.Command())
			}
			return nil
		},
	}
	data.add(c)
	c.Flags().StringVar(&reviewer, "reviewer", "", "`NAME` under which decisions are stored (default the user of this machine)")
	c.Flags().IntVar(&port, "port", 0, "port on 127.0.0.1 (default any free port)")
	return c
}

// reviewed reads the data of a run as it did, or those that are named in the same way.
func reviewed(c *cobra.Command, a *app, data *dataFlags, run string) (*dataset.Data, error) {
	of, err := review.DataOf(run)
	if err == nil {
		err = cmp.Or(review.Savable(run), data.like(c, of.ReadWith))
	}
	if err != nil {
		return nil, err
	}
	own := data.spec != ""
	if !own {
		data.spec = of.Spec
	}
	d, err := data.load(c.Context(), a, of.Seed)
	if !own && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; %s names the data so, from where the run was started: --data says where they are now", err, filepath.Join(run, runs.ResultFile))
	}
	return d, err
}
