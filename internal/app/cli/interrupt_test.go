package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// An interrupted command says what it could not save, whichever command it is.
func TestInterruptedSaysWhatFailed(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	a := &app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	for _, command := range [][]string{{"experiment", "run"}, {"repair"}, {"train"}} {
		c, _, err := a.root().Find(command)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{errors.Join(context.Canceled, full), fmt.Errorf("cell a: %w", errors.Join(context.Canceled, full))} {
			if text := interrupted(c, err); !strings.Contains(text, "no space left") || strings.Contains(text, "canceled") {
				t.Errorf("%v: %s", command, text)
			}
		}
		if text := interrupted(c, fmt.Errorf("cell a: %w", context.Canceled)); strings.Contains(text, "canceled") || strings.Contains(text, "fail") {
			t.Errorf("%v: %s", command, text)
		}
	}
}

// What saves nothing does not say that it does.
func TestStoppingSaysWhetherItSaves(t *testing.T) {
	for text, commands := range map[string][]string{
		"stopping and saving": {"train --data d --out o", "audit --data d", "--threads 1 experiment run grid.yaml"},
		"stopping":            {"repair --out o", "unlearn --model m", "eval", "attack badnets --data d", "", "no-command"},
	} {
		for _, c := range commands {
			if got := stopping(strings.Fields(c)); got != text {
				t.Errorf("%s: %s", c, got)
			}
		}
	}
}

// A terminal that is closed ends a review as Ctrl-C does, however often it says so.
func TestAClosedTerminalEndsAReview(t *testing.T) {
	if runtime.GOOS == "windows" || signal.Ignored(syscall.SIGHUP) {
		t.Skip("no such signal, or ignored by who started this, as by nohup")
	}
	data, run := signFolder(t, 20, 10), t.TempDir()
	d, err := dataset.Load(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	source := d.Train.Source(0)
	for name, text := range map[string]string{
		"result.json": `{"data":{"path":"` + data + `","layout":"folder"}}`, "suspects.csv": "index,source,label,isolated\n0," + source + "," + d.Train.Classes[d.Train.Labels[0]] + ",true\n",
		"reviews/ann.json": `{"reviewer":"ann","history":[{"index":0,"source":"","decision":"drop"}]}`,
	} {
		path := filepath.Join(run, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	c := program("review", run, "--reviewer", "ann")
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // it serves
	for range 3 {
		if err := c.Process.Signal(syscall.SIGHUP); err != nil {
			t.Error(err)
		}
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := c.Wait(); err != nil {
		t.Errorf("%v: %s", err, &errs)
	}
	if raw, err := os.ReadFile(filepath.Join(run, "decisions.csv")); err != nil || !strings.Contains(string(raw), source) {
		t.Errorf("%q, %v: %s", raw, err, &errs)
	}
}

// Where what reads the events ends, a training ends as by Ctrl-C; where only what is told of it is not read, it goes on.
func TestAReaderThatEnds(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such signal")
	}
	data, out := signFolder(t, 100, 20), filepath.Join(t.TempDir(), "run")
	c := program(tiny(data, out, "--epochs-tune", "500", "--json")...)
	var errs bytes.Buffer
	c.Stderr = &errs
	events, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(events)
	for lines.Scan() && !strings.Contains(lines.Text(), `"epoch"`) {
		continue
	}
	if err := events.Close(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(errs.String(), "with --resume goes on from here") {
		t.Errorf("%v: %s", c.ProcessState, &errs)
	}

	reader, broken, err := os.Pipe() // its reader is closed
	if err = errors.Join(err, reader.Close()); err != nil {
		t.Fatal(err)
	}
	defer broken.Close() //nolint:errcheck // nothing is in it
	c = program(tiny(data, filepath.Join(t.TempDir(), "run"))...)
	c.Stderr = broken
	if said, err := c.Output(); err != nil || !strings.Contains(string(said), "peak memory") {
		t.Errorf("%v: %s", err, said)
	}
	for _, args := range [][]string{{"version"}, {"version", "--json"}, {"data", "info", data, "--json"}} {
		errs.Reset()
		c = program(args...)
		c.Stdout, c.Stderr = broken, &errs
		_ = c.Run()
		if code := c.ProcessState.ExitCode(); code != exitInterrupted || strings.Contains(errs.String(), "unpoison:") {
			t.Errorf("%v: %v: %s", args, c.ProcessState, &errs)
		}
	}
}
