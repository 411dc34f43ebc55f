//go:build unix

package work

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/experiment"
)

// A worker that waits for the store while it fetches what a cell builds on is heard of all the time. If that is damaged, the cell
// fails and says so.
func TestFetchingIsHeardOf(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s, err := store.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	file := filepath.Join(t.TempDir(), "grid.yaml")
	if err := os.WriteFile(file, []byte("name: g\ndata: signs\nattacks: [badnets]\ndefenses: [none, fp]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(ctx, s, file)
	if err != nil {
		t.Fatal(err)
	}
	p, g, err := ReadPlan(ctx, s, plan)
	if err != nil {
		t.Fatal(err)
	}
	all := g.Cells()
	one := all[slices.IndexFunc(all, func(c experiment.Cell) bool { return len(c.Needs()) > 0 })]
	id, err := p.identity(g, one.Needs()[0])
	if err != nil {
		t.Fatal(err)
	}
	k := store.Key(strings.Repeat("a", 64)) // a pipe, which nothing comes out of
	if _, err := s.Name(ctx, "cells/"+id, k, true); err != nil {
		t.Fatal(err)
	}
	slow := filepath.Join(dir, "objects", "aa", string(k))
	if err := os.MkdirAll(filepath.Dir(slow), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(slow, 0o600); err != nil {
		t.Skip(err)
	}

	var suite testsuite.WorkflowTestSuite
	e := suite.NewTestWorkflowEnvironment()
	e.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: deadlockTime})
	e.SetTestTimeout(time.Minute)
	(&Worker{Store: s, Scratch: t.TempDir()}).register(e)
	e.OnActivity(cellsActivity, mock.Anything, mock.Anything).Return([]string{one.Name()}, nil)
	const enough = 3
	var beats atomic.Int64
	e.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
	go func() {
		for start := time.Now(); beats.Load() < enough && time.Since(start) < 20*time.Second; {
			time.Sleep(50 * time.Millisecond)
		}
		_ = os.WriteFile(slow, []byte("other bytes"), 0o600)
	}()
	e.ExecuteWorkflow(partWorkflow, Input{Plan: plan, Heartbeat: 2 * time.Second})
	if err := e.GetWorkflowError(); err == nil || !strings.Contains(err.Error(), "gone or damaged") {
		t.Errorf("what the cell builds on is damaged: %v", err)
	}
	if n := beats.Load(); n < enough {
		t.Errorf("%d heartbeats while it fetched, expected %d or more", n, enough)
	}
}
