package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// TestKilledRunsGoOnToTheSameBytes kills a real process at random moments, twice; TestKills does it oftener.
func TestKilledRunsGoOnToTheSameBytes(t *testing.T) {
	data := signFolder(t, 100, 20)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	start := time.Now()
	if out, err := program(tiny(data, whole)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	took := time.Since(start)
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for k := range 2 {
		out := filepath.Join(dir, "killed"+strconv.Itoa(k))
		c := program(tiny(data, out, "--resume")...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.Int64N(int64(took))))
		_ = c.Process.Kill() // it may have finished
		_ = c.Wait()
		if text, err := program(tiny(data, out, "--resume")...).CombinedOutput(); err != nil {
			t.Fatalf("going on after kill %d: %v: %s", k, err, text)
		}
		same(t, whole, out)
	}
}

func TestInterruptSavesAndExitsWith130(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no interrupt signal")
	}
	data := signFolder(t, 300, 60)
	out := filepath.Join(t.TempDir(), "run")
	args := tiny(data, out, "--epochs-tune", "500")
	c := program(args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 200 { // until training has begun
		time.Sleep(50 * time.Millisecond)
		if _, err := os.Stat(filepath.Join(out, "checkpoint.safetensors")); err == nil {
			break
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if !strings.Contains(errs.String(), "--resume") {
		t.Errorf("not told how to go on: %s", errs.String())
	}
	if _, err := os.Stat(filepath.Join(out, runs.ModelFile)); err == nil {
		t.Error("a half-trained model was left")
	}
}

func TestThreadsGiveTheSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	data := signFolder(t, 100, 20)
	dir := t.TempDir()
	for _, n := range []string{"1", "3"} {
		if code, _, errs := call(tiny(data, filepath.Join(dir, n), "--threads", n)...); code != 0 {
			t.Fatal(errs)
		}
	}
	same(t, filepath.Join(dir, "1"), filepath.Join(dir, "3"))
}

func TestDivergedTrainingIsSaid(t *testing.T) {
	data := signFolder(t, 200, 40)
	out := filepath.Join(t.TempDir(), "run")
	code, _, errs := call(tiny(data, out, "--rate-isolate", "1e9")...)
	if code != exitFailed || !strings.Contains(errs, "diverged") || !strings.Contains(errs, "epoch") || !strings.Contains(errs, "learning rate") {
		t.Errorf("%d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(out, runs.ModelFile)); err == nil {
		t.Error("a diverged model was written")
	}
}

// A grid that may not run in a folder leaves the tables there as they are.
func TestAnotherGridsTableIsKept(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	grid := func(name string, limit int) string {
		path := filepath.Join(dir, name+".yaml")
		text := fmt.Sprintf("name: %s\ndata: signs\nlimit: %d\ntest: 20\nmodel: small-cnn\nattacks: [none]\ndefenses: [none]\nsettings: tune_epochs=1,batch=32\n", name, limit)
		testfile.Write(t, path, text)
		return path
	}
	if code, _, errs := call("experiment", "run", grid("first", 64), "--out", out); code != exitDone {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	before := testfile.Read(t, filepath.Join(out, "table.md"))
	if code, _, errs := call("experiment", "run", grid("second", 96), "--out", out); code != exitFailed || !strings.Contains(errs, "other data or settings") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if after, err := os.ReadFile(filepath.Join(out, "table.md")); err != nil || string(after) != string(before) {
		t.Errorf("the first grid's table is now %q (%v)", after, err)
	}
}
