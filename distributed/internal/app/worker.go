package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/distributed/internal/work"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/base/version"
)

// Main runs a command line and returns its exit code: 0 done, 1 failed, 130 interrupted.
func Main(c *cobra.Command, args []string) int {
	debug.SetGCPercent(5) // as unpoison does: the heap is a few large arrays
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	c.SetArgs(args)
	c.SilenceUsage, c.SilenceErrors, c.Version = true, true, version.String()
	err := c.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		return 130
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", c.Name(), err)
	return 1
}

// Machine is what a worker computes with.
type Machine struct {
	scratch, engine string
	cells, threads  int
	watch           func(checkpoint string)
}

// Add adds the flags.
func (m *Machine) Add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&m.scratch, "scratch", defaultScratch(), "`DIR` for runs in progress and copies of data")
	fl.StringVar(&m.engine, "engine", "cpu", "what computes: cpu, or xla where it is built in")
	fl.IntVar(&m.cells, "cells", 1, "cells at a time")
	fl.IntVar(&m.threads, "threads", 0, "processor threads (default all)")
}

// Worker makes a worker and sets it to work; call the function that it returns to stop and save.
func (m *Machine) Worker(c client.Client, s *store.Store) (stop func(), err error) {
	if m.cells < 1 || m.threads < 0 {
		return nil, fmt.Errorf("--cells %d and --threads %d, expected 1 or more cells, and 1 or more threads or 0 for all", m.cells, m.threads)
	}
	threads := m.threads
	if m.cells > 1 {
		if threads == 0 {
			threads = runtime.GOMAXPROCS(0)
		}
		threads = max(1, threads/m.cells)
	}
	b, err := engines.New(m.engine, threads)
	if err != nil {
		return nil, err
	}
	own, remove, err := OwnFolder(m.scratch, "worker-") // workers of one machine share nothing but the store
	if err != nil {
		return nil, err
	}
	w := (&work.Worker{Store: s, Scratch: own, Backend: b, Cells: m.cells, Watch: m.watch}).New(c)
	if err := w.Start(); err != nil {
		return nil, errors.Join(err, remove())
	}
	return func() {
		w.Stop()
		if err := remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}, nil
}

// WorkerCommand is unpoison-worker. Watch may be nil; see work.Worker.
func WorkerCommand(out, errs io.Writer, watch func(checkpoint string)) *cobra.Command {
	var to Connection
	m := Machine{watch: watch}
	var where string
	c := &cobra.Command{
		Use:   "unpoison-worker",
		Short: "Run cells of grids that unpoison-grid hands out through Temporal",
		Long: `Takes cells of grids from Temporal and runs them until it is stopped. Data,
checkpoints and results lie in --store, which all workers see. Where a worker
dies, another goes on from its last checkpoint. On the first signal the worker
saves what it runs; another takes it over. A second one ends it at once.`,
		Example: `  unpoison-worker --temporal temporal:7233 --store /shared/unpoison
  unpoison-worker --temporal ns.tmprl.cloud:7233 --namespace ns \
    --api-key-file key --store "s3://bucket?region=eu-central-1"`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := store.Open(c.Context(), where)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.Usable(c.Context()); err != nil {
				return err
			}
			stop, err := Reach(c.Context(), &to, errs, func(conn client.Client) (func(), error) {
				stop, err := m.Worker(conn, s)
				return func() { stop(); conn.Close() }, err
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "works on grids in %s; scratch in %s\n", s, filepath.Clean(m.scratch))
			<-c.Context().Done()
			stop()
			return nil
		},
	}
	to.Add(c.Flags())
	m.Add(c)
	c.Flags().StringVar(&where, "store", "", "`URL` of the store: a folder, s3://NAME, gs://NAME or azblob://NAME")
	return c
}

// Share sets the threads that a worker takes unless the user did.
func (m *Machine) Share(threads int) {
	if m.threads == 0 {
		m.threads = threads
	}
}
