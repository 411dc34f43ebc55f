package gridapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/distributed/internal/work"
	"github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

func auditCommand(out, errs io.Writer) *cobra.Command {
	var f flags
	var data, folder string
	var o dataset.Options
	var with work.AuditSettings
	var heartbeat time.Duration
	var cancel bool
	c := &cobra.Command{
		Use:   "audit",
		Short: "What is suspicious in this data? In parts, by all workers",
		Long: `Audits data as unpoison audit does, to the same verdict and suspects. The data go
into the store in packs of up to 5,000 images or 64 MB. Workers decode them, ask
networks about them and sum what their pixels have in common; one worker trains
the networks. On an interrupt the audit goes on without this program; the same
command joins it again, and with --cancel it ends it.`,
		Example: `  unpoison-grid audit --data DIR --temporal temporal:7233 --store /shared/unpoison --out audit`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case data == "":
				return errors.New("--data is required: a folder with images")
			case folder == "" && !cancel:
				return errors.New("--out is required: a folder for the list of suspects")
			case heartbeat < time.Second:
				return fmt.Errorf("--heartbeat %v, expected 1s or more", heartbeat)
			}
			if _, err := os.Stat(filepath.Join(folder, runs.ResultFile)); err == nil && !cancel {
				return fmt.Errorf("%s holds a run already; choose another --out", folder)
			}
			if !cancel {
				if err := places(data, folder, f.where); err != nil {
					return err
				}
			}
			j, done, err := f.open(c.Context(), errs, func(s *store.Store) (store.Key, error) {
				return work.NewAuditPlan(c.Context(), s, data, o, with)
			})
			if err != nil {
				return err
			}
			defer done()
			audit := &auditJob{*j}
			if cancel {
				return audit.cancel(c.Context(), errs)
			}
			return audit.run(c.Context(), heartbeat, folder, out, errs)
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVar(&data, "data", "", "`DIR` with images, or layout:DIR")
	fl.StringVar(&folder, "out", "", "`DIR` for the list of suspects and the report")
	fl.IntVar(&o.Size, "size", 0, "resize images to `N`×N pixels (default their own size, or the median of their shorter sides, up to 224)")
	fl.BoolVar(&o.SkipBad, "skip-bad", false, "pass over unreadable images and report how many")
	fl.StringVar(&o.Label, "label", "", "`COLUMN` of the labels in a table, Parquet or WebDataset")
	fl.StringVar(&o.Image, "image", "", "`COLUMN` of the images")
	fl.Uint64Var(&with.Seed, "seed", 0, "seed of everything random")
	fl.StringVar(&with.Network, "model", abl.Default().Network, "network")
	fl.IntVar(&with.Learn, "learn", 0, "networks learn from about `N` images, drawn by label, and are asked about all (default all)")
	fl.StringVar(&with.List, "settings", "", "`KEY=VALUE,...` over the defaults, as grids have them: content_epochs=4,pixels=false")
	fl.DurationVar(&heartbeat, "heartbeat", work.DefaultHeartbeat, "replace the worker that leads when it says nothing for so long")
	fl.BoolVar(&cancel, "cancel", false, "end the audit; checkpoints and decoded images stay in the store")
	return c
}

// auditJob is an audit in a store and how it is reached.
type auditJob struct{ job }

func (j *auditJob) id() string { return "unpoison-audit-" + string(j.plan[:16]) }

func (j *auditJob) cancel(ctx context.Context, errs io.Writer) error {
	if err := j.client.CancelWorkflow(ctx, j.id(), ""); err != nil {
		return err
	}
	fmt.Fprintln(errs, "cancelled; the same command without --cancel goes on from the checkpoint")
	return nil
}

// run follows the audit to its end, and fetches what came out.
func (j *auditJob) run(ctx context.Context, heartbeat time.Duration, to string, out, errs io.Writer) error {
	if err := j.follow(ctx, heartbeat, errs, j.id(), "audit", work.AuditWorkflow, j.progress); err != nil {
		return err
	}
	k, err := work.AuditResult(ctx, j.store, j.plan)
	if err != nil {
		return err
	}
	if err := j.store.GetFolder(ctx, k, to, runs.ResultFile); err != nil {
		return err
	}
	res, err := runs.ReadResult(filepath.Join(to, runs.ResultFile))
	if err != nil {
		return err
	}
	if err := moved(filepath.Join(to, runs.ReportFile), to); err != nil {
		return err
	}
	v := res.Verdict
	fmt.Fprintf(out, "%s: %d of %d images %s; see %s\n", v.Says, v.Removed, res.Data.Train, runs.Seem(v, v.Says), filepath.Join(to, runs.ReportFile))
	return nil
}

// moved writes a fetched report anew: its commands name the folder that it is in.
func moved(path, folder string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, findings.Moved(page, folder))
}
