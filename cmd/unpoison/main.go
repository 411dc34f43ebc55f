// Command unpoison trains clean image classifiers on data that may be poisoned.
package main

import (
	"os"

	"github.com/unpoison/unpoison/internal/app/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
