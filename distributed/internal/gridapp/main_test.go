package gridapp

import (
	"os"
	"testing"
	"time"

	"github.com/unpoison/unpoison/distributed/internal/app"
)

// The test binary is one of the programs when this variable names it, so that tests can kill real processes.
const asProgram = "UNPOISON_TEST_PROGRAM"

// A worker holds its cell once it has a checkpoint, for as long as there is the file that this variable names.
const holdFile = "UNPOISON_TEST_HOLD"

func hold(checkpoint string) {
	for {
		_, held := os.Stat(os.Getenv(holdFile))
		_, made := os.Stat(checkpoint)
		if held != nil || made != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "unpoison-worker":
		os.Exit(app.Main(app.WorkerCommand(os.Stdout, os.Stderr, hold), os.Args[1:]))
	case "unpoison-grid":
		os.Exit(app.Main(Command(os.Stdout, os.Stderr), os.Args[1:]))
	}
	os.Exit(m.Run())
}
