package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Standard output that can't be written is an error.
func TestAFullStandardOutputIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"version"}, {"attack", "list"}, {"--help"}} {
		var errs bytes.Buffer
		a := &app{out: full, err: &errs, args: args}
		if code := a.run(t.Context()); code != exitFailed || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%v: exit code %d, %s", args, code, errs.String())
		}
	}
}

// What is written may not lie in what is read.
func TestOutputInTheDataIsRefused(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(filepath.Join(data, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	grid := filepath.Join(t.TempDir(), "grid.yaml")
	testfile.Write(t, grid, "name: g\ndata: folder:"+data+"\nattacks: [none]\ndefenses: [none]\n")
	for _, out := range []string{data, filepath.Join(data, "out")} {
		for _, args := range [][]string{
			{"train", "--data", data, "--out", out},
			{"audit", "--data", "folder:" + data, "--out", out},
			{"attack", "badnets", "--data", data, "--out", out},
			{"attack", "apply", "--from", "x", "--data", data, "--out", out},
			{"data", "filter", "--data", data, "--suspects", "x", "--out", out},
			{"data", "filter", "--data", data, "--suspects", "x", "--list", filepath.Join(out, "list.csv")},
			{"unlearn", "--data", data, "--model", "x", "--suspects", "x", "--out", out},
			{"experiment", "run", grid, "--out", out},
			{"experiment", "run", grid, "--out", t.TempDir(), "--keep", out},
			{"experiment", "paper", "gtsrb", "--gtsrb", data, "--out", out},
			{"experiment", "detect", "--family", "cifar10=" + data, "--out", out},
			{"repair", "--clean", data, "--model", "x", "--method", "fp", "--out", out},
		} {
			if code, _, errs := call(args...); code != exitFailed || !strings.Contains(errs, "lies in the data") {
				t.Errorf("%v: %d, %s", args, code, errs)
			}
		}
	}
}

// A run's folder is one process's alone, and the model in it is not replaced by repairs.
func TestRunFoldersAreLockedAndKept(t *testing.T) {
	dir, data := t.TempDir(), signFolder(t, 20, 10)
	unlock, err := atomicfile.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	args := [][]string{
		{"unlearn", "--data", data, "--model", "x", "--suspects", "x", "--out", dir},
		{"repair", "--clean", data, "--model", "x", "--method", "fp", "--out", dir},
		{"train", "--data", data, "--out", dir},
	}
	for _, a := range args {
		if code, _, errs := call(a...); code != exitFailed || !strings.Contains(errs, "another process") {
			t.Errorf("%v in a folder that is locked: %d, %s", a, code, errs)
		}
	}
	unlock()
	testfile.Write(t, filepath.Join(dir, runs.ModelFile), "a model")
	for _, a := range args {
		if code, _, errs := call(a...); code != exitFailed || !strings.Contains(errs, "already") {
			t.Errorf("%v over a model: %d, %s", a, code, errs)
		}
	}
}

// --threads that no machine has are refused.
func TestThreadsAreBounded(t *testing.T) {
	if code, _, errs := call("version", "--threads", "1000000"); code != exitUsage || !strings.Contains(errs, "1024") {
		t.Errorf("%d: %s", code, errs)
	}
}

// An interrupted command says that it can go on only where something was saved.
func TestInterruptedWithoutACheckpoint(t *testing.T) {
	out := t.TempDir()
	a := &app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	c, _, err := a.root().Find([]string{"train"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Flags().Set("out", out); err != nil {
		t.Fatal(err)
	}
	stopped := errors.Join(context.Canceled, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	if text := interrupted(c, stopped); strings.Contains(text, "--resume") || !strings.Contains(text, "no space left") {
		t.Error(text)
	}
	if text := interrupted(c, context.Canceled); strings.Contains(text, "--resume") || !strings.Contains(text, "before anything was saved") {
		t.Error(text)
	}
	testfile.Write(t, filepath.Join(out, "checkpoint.safetensors"), "")
	if text := interrupted(c, context.Canceled); !strings.HasSuffix(text, "--resume goes on from here") {
		t.Error(text)
	}
}
