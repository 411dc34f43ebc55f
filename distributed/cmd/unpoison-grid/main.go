// Command unpoison-grid runs grids of experiments on many machines.
package main

import (
	"os"

	"github.com/unpoison/unpoison/distributed/internal/app"
	"github.com/unpoison/unpoison/distributed/internal/gridapp"
)

func main() { os.Exit(app.Main(gridapp.Command(os.Stdout, os.Stderr), os.Args[1:])) }
