// Command unpoison-worker runs cells of grids that unpoison-grid hands out through Temporal.
package main

import (
	"os"

	"github.com/unpoison/unpoison/distributed/internal/app"
)

func main() { os.Exit(app.Main(app.WorkerCommand(os.Stdout, os.Stderr, nil), os.Args[1:])) }
