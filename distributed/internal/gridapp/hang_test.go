package gridapp

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
)

// retried returns who has a cell that was tried before, and how long after the other stopped; 0 if nobody.
func (l *lab) retried() (pid int, after time.Duration) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	d, err := l.client.DescribeWorkflowExecution(ctx, fmt.Sprintf("%s.%d", l.job.id(), 1), "")
	if err != nil {
		return 0, 0
	}
	for _, a := range d.GetPendingActivities() {
		if a.GetAttempt() < 2 || a.GetState() != enums.PENDING_ACTIVITY_STATE_STARTED {
			continue
		}
		text, _, _ := strings.Cut(a.GetLastWorkerIdentity(), "@")
		if pid, err = strconv.Atoi(text); err == nil {
			return pid, a.GetLastStartedTime().AsTime().Sub(l.stopped)
		}
	}
	return 0, 0
}

// A worker that hangs, which is no longer heard of though its process is there, is replaced: another goes on with its cell.
func TestAWorkerThatHangsIsReplaced(t *testing.T) {
	const heartbeat = 10 * time.Second
	l := newLab(t, fewCells, 0)
	if err := os.WriteFile(l.holdFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 { // of the two cells that need no others each has a worker, and one is free
		l.startWorker()
	}
	to := filepath.Join(t.TempDir(), "few")
	ended := make(chan error, 1)
	go func() { ended <- l.job.run(context.Background(), heartbeat, to, io.Discard, t.Output()) }()
	var hung int
	l.until("a cell has a checkpoint", func() bool {
		pid, checkpoint := l.busy()
		if checkpoint {
			hung = pid
		}
		return checkpoint || len(ended) > 0
	})
	l.stopped = time.Now()
	if err := l.workers[hung].Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.until("another worker has the cell", func() bool {
		pid, after := l.retried()
		if pid == 0 || pid == hung {
			return false
		}
		t.Logf("a worker that stopped was replaced after %v, with heartbeats of %v", after, heartbeat)
		return true
	})
	if err := os.Remove(l.holdFile()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := l.workers[hung].Process.Signal(syscall.SIGCONT); err != nil { // what it still says comes too late
		t.Fatal(err)
	}
	for cell, n := range l.completed() {
		if n != 1 {
			t.Errorf("%s was finished %d times", cell, n)
		}
	}
	l.same(to)
}
