// Package gridapp is the command line of unpoison-grid.
package gridapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/unpoison/unpoison/distributed/internal/app"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/distributed/internal/work"
	"github.com/unpoison/unpoison/experiment"
)

// flags are those of all that concerns one grid.
type flags struct {
	to    app.Connection
	where string
}

func (f *flags) add(c *cobra.Command) {
	f.to.Add(c.Flags())
	c.Flags().StringVar(&f.where, "store", "", "`URL` of the store: a folder, s3://NAME, gs://NAME or azblob://NAME")
}

// Command is unpoison-grid.
func Command(out, errs io.Writer) *cobra.Command {
	c := &cobra.Command{
		Use:   "unpoison-grid",
		Short: "Run grids of experiments and large audits on many machines, through Temporal",
		Example: `  unpoison-grid dev --store store             a server and two workers, to try
  unpoison-grid run grid.yaml --temporal 127.0.0.1:7233 --store store --out results
  unpoison-grid audit --data DIR --temporal 127.0.0.1:7233 --store store --out audit`,
	}
	c.AddCommand(runCommand(out, errs), auditCommand(out, errs), cancelCommand(errs), devCommand(errs))
	return c
}

func runCommand(out, errs io.Writer) *cobra.Command {
	var f flags
	var to string
	var heartbeat time.Duration
	c := &cobra.Command{
		Use:   "run GRID",
		Short: "Run a grid on all workers, or join it again",
		Long: `Puts the grid and its data into the store, has workers run every cell that is not
finished, shows how far they are, and writes results and tables to --out. On an
interrupt the grid goes on without this program; the same command joins it
again. unpoison-grid cancel ends it.`,
		Example: `  unpoison-grid run grid.yaml --temporal temporal:7233 --store /shared/unpoison --out results`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return errors.New("--out is required: a folder for the results")
			}
			if heartbeat < time.Second {
				return fmt.Errorf("--heartbeat %v, expected 1s or more", heartbeat)
			}
			g, err := experiment.Read(args[0])
			if err != nil {
				return err
			}
			if err := places(g.Data, to, f.where); err != nil {
				return err
			}
			j, done, err := f.open(c.Context(), errs, gridPlan(c.Context(), args[0]))
			if err != nil {
				return err
			}
			defer done()
			return j.run(c.Context(), heartbeat, to, out, errs)
		},
	}
	f.add(c)
	c.Flags().StringVar(&to, "out", "", "`DIR` for the runs, tables and plots")
	c.Flags().DurationVar(&heartbeat, "heartbeat", work.DefaultHeartbeat, "replace a worker that says nothing for so long")
	return c
}

func cancelCommand(errs io.Writer) *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:     "cancel GRID",
		Short:   "Stop a grid; what is finished and the checkpoints stay in the store",
		Example: `  unpoison-grid cancel grid.yaml --temporal temporal:7233 --store /shared/unpoison`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			j, done, err := f.open(c.Context(), errs, gridPlan(c.Context(), args[0]))
			if err != nil {
				return err
			}
			defer done()
			if err := j.client.CancelWorkflow(c.Context(), j.id(), ""); err != nil {
				return err
			}
			fmt.Fprintln(errs, "cancelled; unpoison-grid run goes on from the checkpoints")
			return nil
		},
	}
	f.add(c)
	return c
}

// job is a grid in a store and how it is reached.
type job struct {
	client client.Client
	store  *store.Store
	plan   store.Key
}

// open opens the store, with a plan in it, and Temporal.
func (f *flags) open(ctx context.Context, errs io.Writer, plan func(s *store.Store) (store.Key, error)) (*job, func(), error) {
	s, err := store.Open(ctx, f.where)
	if err != nil {
		return nil, nil, err
	}
	c, err := f.to.Dial(ctx, errs)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	k, err := plan(s)
	if err != nil {
		c.Close()
		return nil, nil, errors.Join(err, s.Close())
	}
	return &job{c, s, k}, func() { c.Close(); s.Close() }, nil
}

// gridPlan puts the plan of a grid into a store.
func gridPlan(ctx context.Context, grid string) func(s *store.Store) (store.Key, error) {
	return func(s *store.Store) (store.Key, error) { return work.NewPlan(ctx, s, grid) }
}

// id names the grid's workflow: the same grid and data are one.
func (j *job) id() string { return "unpoison-grid-" + string(j.plan[:16]) }

// run follows the grid to its end.
func (j *job) run(ctx context.Context, heartbeat time.Duration, to string, out, errs io.Writer) error {
	err := j.follow(ctx, heartbeat, errs, j.id(), "grid", work.GridWorkflow, j.progress)
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, j.fetch(ctx, to, out, errs))
}

// follow starts a workflow, or joins it, and waits for its end.
func (j *job) follow(ctx context.Context, heartbeat time.Duration, errs io.Writer, id, what string, workflow any, progress func(ctx context.Context) string) error {
	return again(ctx, errs, func() error {
		started, err := j.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: id, TaskQueue: work.Queue, WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		}, workflow, work.Input{Plan: j.plan, Heartbeat: heartbeat})
		if err != nil {
			return err
		}
		fmt.Fprintf(errs, "%s runs\n", id)
		return watch(ctx, started, errs, what, progress)
	})
}

// again follows a workflow, and where Temporal goes away meanwhile joins it again.
func again(ctx context.Context, errs io.Writer, follow func() error) error {
	const pause = 2 * time.Second
	for {
		err := follow()
		if ctx.Err() != nil || !work.Away(err) {
			return err
		}
		fmt.Fprintf(errs, "%v; joining again in %v\n", err, pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch waits for a workflow, and says how far it is.
func watch(ctx context.Context, started client.WorkflowRun, errs io.Writer, what string, progress func(ctx context.Context) string) error {
	ended := make(chan error, 1)
	go func() { ended <- started.Get(ctx, nil) }()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	said := ""
	for {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				fmt.Fprintf(errs, "left; the %s goes on, and the same command joins it again\n", what)
				return ctx.Err()
			}
			return err
		case <-tick.C:
			if now := progress(ctx); now != said {
				said = now
				fmt.Fprintln(errs, now)
			}
		}
	}
}
