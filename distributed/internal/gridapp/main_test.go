package gridapp

import (
	"os"
	"testing"

	"github.com/unpoison/unpoison/distributed/internal/app"
)

// The test binary is one of the programs when this variable names it, so that tests can kill real processes.
const asProgram = "UNPOISON_TEST_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "unpoison-worker":
		os.Exit(app.Main(app.WorkerCommand(os.Stdout), os.Args[1:]))
	case "unpoison-grid":
		os.Exit(app.Main(Command(os.Stdout, os.Stderr), os.Args[1:]))
	}
	os.Exit(m.Run())
}
