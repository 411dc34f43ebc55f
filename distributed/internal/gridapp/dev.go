package gridapp

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/unpoison/unpoison/distributed/internal/app"
	"github.com/unpoison/unpoison/distributed/internal/server"
	"github.com/unpoison/unpoison/distributed/internal/store"
)

func devCommand(errs io.Writer) *cobra.Command {
	var where, file string
	var port, workers int
	var m app.Machine
	c := &cobra.Command{
		Use:   "dev",
		Short: "Start a Temporal server and workers on this machine, to try grids",
		Long: `Starts a Temporal server in this program, which listens on this machine only and
keeps what it knows in a file, with two workers. For clusters use a real one.`,
		Example: `  unpoison-grid dev --store store
  unpoison-grid run grid.yaml --temporal 127.0.0.1:7233 --store store --out results`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if workers < 0 {
				return fmt.Errorf("--workers %d, expected 0 or more", workers)
			}
			s, err := store.Open(c.Context(), where)
			if err != nil {
				return err
			}
			defer s.Close()
			if file == "" {
				if strings.Contains(where, "://") {
					return errors.New("--db is required: the store is no folder to keep it in")
				}
				file = filepath.Join(where, "temporal.db")
			}
			t, err := server.Start(file, port, client.DefaultNamespace)
			if err != nil {
				return err
			}
			defer func() { _ = t.Stop() }()
			var to app.Connection
			to.Local(t.Address)
			conn, err := to.Dial(c.Context(), errs)
			if err != nil {
				return err
			}
			defer conn.Close()
			m.Share(max(1, runtime.GOMAXPROCS(0)/max(1, workers)))
			for range workers {
				stop, err := m.Worker(conn, s)
				if err != nil {
					return err
				}
				defer stop()
			}
			fmt.Fprintf(errs, "Temporal listens on %s, with %d workers\n", t.Address, workers)
			<-c.Context().Done()
			return nil
		},
	}
	m.Add(c)
	c.Flags().StringVar(&where, "store", "", "`DIR` of the store")
	c.Flags().StringVar(&file, "db", "", "`FILE` for what the server knows (default temporal.db in the store)")
	c.Flags().IntVar(&port, "port", 7233, "port to listen on, or 0 for a free one")
	c.Flags().IntVar(&workers, "workers", 2, "workers in this program")
	return c
}
