package app

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Folders that killed processes of this machine left are removed; those in use, and those of other machines, stay.
func TestLeftFoldersAreRemoved(t *testing.T) {
	parent := t.TempDir()
	first, remove, err := OwnFolder(parent, "worker-")
	if err != nil {
		t.Fatal(err)
	}
	if !locks(first) {
		t.Skip("this file system has no locks")
	}
	host, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	left, others := "worker-"+host+"-17", []string{"worker-17", "worker-" + host + "-b-17", "worker-other.machine-17", "data"}
	for _, name := range append(others, left) {
		if err := os.MkdirAll(filepath.Join(parent, name, "cell"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	second, removeSecond, err := OwnFolder(parent, "worker-")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(parent, left)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed worker left is still there (%v)", err)
	}
	for _, name := range append(others, filepath.Base(first), filepath.Base(second)) {
		if _, err := os.Stat(filepath.Join(parent, name)); err != nil {
			t.Errorf("%s was removed", name)
		}
	}
	if err := errors.Join(remove(), removeSecond()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first); err == nil {
		t.Error("a worker that ends leaves its folder")
	}
}

// asPatient is the variable that makes the test below a program that saves forever once it is interrupted.
const asPatient = "UNPOISON_TEST_PATIENT"

// A second interrupt ends a program that takes long to save.
func TestASecondInterruptEnds(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals to send")
	}
	if saying := os.Getenv(asPatient); saying != "" {
		Main(&cobra.Command{RunE: func(c *cobra.Command, _ []string) error {
			os.WriteFile(saying, nil, 0o600)
			<-c.Context().Done()
			os.Remove(saying)
			time.Sleep(time.Hour)
			return nil
		}}, []string{})
	}
	saying := filepath.Join(t.TempDir(), "runs")
	p := exec.Command(os.Args[0], "-test.run=^TestASecondInterruptEnds$")
	p.Env = append(os.Environ(), asPatient+"="+saying)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	t.Cleanup(func() { p.Process.Kill() })
	wait := func(there bool) {
		for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(saying); (err == nil) == there {
				return
			}
		}
		t.Fatalf("the program does not answer; it runs: %v", !there)
	}
	wait(true)
	p.Process.Signal(os.Interrupt)
	wait(false)
	for start := time.Now(); time.Since(start) < 20*time.Second; {
		p.Process.Signal(os.Interrupt) // the first ones may come before the program lets go of them
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
				t.Errorf("it ended with %v", err)
			}
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Error("it goes on")
}
