package gridapp

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/distributed/internal/app"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/distributed/internal/work"
	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/app/runs"
)

const fewCells = `name: few
data: signs
limit: 200
test: 50
model: small-cnn
attacks: ["badnets:patch_size=5,target=9"]
defenses: [none, "fp:epochs=1", abl, "unlearn:ft-last"]
clean: 0.3
settings: "batch=32,isolate_epochs=2,tune_epochs=60,unlearn_steps=8,isolation=0.05"
`

// lab is a server and workers, all processes of their own, and a grid.
type lab struct {
	t       *testing.T
	dir     string
	address string
	server  *process
	workers map[int]*process // by process ID
	client  client.Client
	job     *job
	audit   *auditJob // instead of the grid
	stopped time.Time // when a worker was
}

// process is one of the programs.
type process struct {
	*exec.Cmd
	ended chan struct{} // closed when it has ended
}

// start starts one of the programs and ends it with the test.
func (l *lab) start(program string, args ...string) *process {
	l.t.Helper()
	p := &process{exec.Command(os.Args[0], args...), make(chan struct{})}
	p.Env = append(os.Environ(), asProgram+"="+program, holdFile+"="+l.holdFile())
	p.Stdout, p.Stderr = l.t.Output(), l.t.Output()
	if err := p.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() {
		_ = p.Wait()
		close(p.ended)
	}()
	l.t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

func (l *lab) holdFile() string { return filepath.Join(l.dir, "hold") }

func (l *lab) startServer() {
	_, port, _ := net.SplitHostPort(l.address)
	l.server = l.start("unpoison-grid", "dev", "--workers", "0", "--port", port, "--store", filepath.Join(l.dir, "store"), "--db", filepath.Join(l.dir, "db"))
}

func (l *lab) startWorker() {
	p := l.start("unpoison-worker", "--temporal", l.address, "--store", filepath.Join(l.dir, "store"), "--scratch", filepath.Join(l.dir, "scratch"), "--threads", "1")
	l.workers[p.Process.Pid] = p
}

func (l *lab) gridFile() string { return filepath.Join(l.dir, "grid.yaml") }

// newLab starts a server and workers.
func newLab(t *testing.T, grid string, workers int) *lab {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, dir: t.TempDir(), address: free.Addr().String(), workers: map[int]*process{}}
	free.Close()
	if err := os.WriteFile(l.gridFile(), []byte(grid), 0o600); err != nil {
		t.Fatal(err)
	}
	l.startServer()
	var to app.Connection
	to.Local(l.address)
	if l.client, err = to.Dial(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	s, err := store.Open(context.Background(), filepath.Join(l.dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	k, err := work.NewPlan(context.Background(), s, l.gridFile())
	if err != nil {
		t.Fatal(err)
	}
	l.job = &job{l.client, s, k}
	for range workers {
		l.startWorker()
	}
	return l
}

// until waits for something that happens sooner or later: how soon is a matter of the machine, and of go test's own limit.
func (l *lab) until(what string, happened func() bool) {
	l.t.Helper()
	for start := time.Now(); !happened(); time.Sleep(50 * time.Millisecond) {
		if limit, ok := l.t.Deadline(); ok && time.Until(limit) < 10*time.Second {
			l.t.Fatalf("it took %v until %s", time.Since(start), what)
		}
	}
}

// workflows are those whose activities take long: the grid's parts, or the audit.
func (l *lab) workflows() []string {
	if l.audit != nil {
		return []string{l.audit.id()}
	}
	return []string{l.job.id() + ".1", l.job.id() + ".2"}
}

// busy returns a worker's process that runs a cell, and whether the cell has a checkpoint; 0 for none.
func (l *lab) busy() (pid int, checkpoint bool) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	for _, id := range l.workflows() {
		d, err := l.client.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			continue
		}
		for _, a := range d.GetPendingActivities() {
			text, _, _ := strings.Cut(a.GetLastWorkerIdentity(), "@")
			p, err := strconv.Atoi(text)
			if err != nil || a.GetState() != enums.PENDING_ACTIVITY_STATE_STARTED || l.workers[p] == nil {
				continue
			}
			var raw []byte
			for _, d := range a.GetHeartbeatDetails().GetPayloads() {
				raw = append(raw, d.GetData()...)
			}
			if pid == 0 || !checkpoint {
				pid, checkpoint = p, bytes.Contains(raw, []byte(`"checkpoint"`))
			}
		}
	}
	return pid, checkpoint
}

func (l *lab) killWorker(pid int) {
	l.workers[pid].kill()
	l.revive()
}

// revive starts a worker for each that has ended, as what runs services does.
func (l *lab) revive() (ended int) {
	for pid, p := range l.workers {
		select {
		case <-p.ended:
			delete(l.workers, pid)
			ended++
		default:
		}
	}
	for range ended {
		l.startWorker()
	}
	return ended
}

// completed counts how often each of the workflows' cells was finished, by the histories.
func (l *lab) completed() map[string]int {
	count := map[string]int{}
	for _, id := range l.workflows() {
		cells := map[int64]string{}
		events := l.client.GetWorkflowHistory(context.Background(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				l.t.Fatal(err)
			}
			if a := e.GetActivityTaskScheduledEventAttributes(); a != nil && a.GetActivityType().GetName() == "unpoison.cell" {
				cells[e.GetEventId()] = string(a.GetInput().GetPayloads()[0].GetData())
			}
			if a := e.GetActivityTaskCompletedEventAttributes(); a != nil && cells[a.GetScheduledEventId()] != "" {
				count[cells[a.GetScheduledEventId()]]++
			}
		}
	}
	return count
}

// same compares what a folder holds of a grid with what one machine makes of it, to the byte.
func (l *lab) same(folder string) {
	l.t.Helper()
	g, err := experiment.Read(l.gridFile())
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := cpu.New("")
	if err != nil {
		l.t.Fatal(err)
	}
	one := &experiment.Runner{Grid: g, Folder: filepath.Join(l.t.TempDir(), "one"), Backend: b, Say: func(string, ...any) {}}
	if err := one.Run(context.Background()); err != nil {
		l.t.Fatal(err)
	}
	if err := one.Write("unpoison-grid run grid.yaml"); err != nil {
		l.t.Fatal(err)
	}
	files := []string{"table.md", "table.csv", "table.json", "index.html"}
	for _, c := range g.Cells() {
		cell := filepath.Join("cells", c.Name())
		found, _ := filepath.Glob(filepath.Join(one.Folder, cell, "*"))
		for _, f := range found {
			switch name := filepath.Base(f); name {
			case runs.ModelFile, runs.LogFile, runs.SuspectsFile:
				files = append(files, filepath.Join(cell, name))
			}
		}
		var text [2]string
		for i, f := range []string{one.Folder, folder} {
			res, err := runs.ReadResult(filepath.Join(f, cell, runs.ResultFile))
			if err != nil {
				l.t.Fatal(err)
			}
			raw, err := res.Content()
			if err != nil {
				l.t.Fatal(err)
			}
			text[i] = string(raw)
		}
		if text[0] != text[1] {
			l.t.Errorf("%s: the results differ:\n%s\n%s", c.Name(), text[0], text[1])
		}
	}
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(one.Folder, f))
		if err != nil {
			l.t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(folder, f)); err != nil || !bytes.Equal(got, want) {
			l.t.Errorf("%s differs from one machine's (%v)", f, err)
		}
	}
}

// killOne carries out a run on two workers, of which the one that works is killed once it has a checkpoint. Until then it is held.
func (l *lab) killOne(what string, run func() error) {
	l.t.Helper()
	if err := os.WriteFile(l.holdFile(), nil, 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.startWorker()
	l.startWorker()
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	l.until(what, func() bool {
		pid, checkpoint := l.busy()
		if checkpoint {
			l.killWorker(pid)
		}
		return checkpoint || len(ended) > 0
	})
	if err := os.Remove(l.holdFile()); err != nil {
		l.t.Fatal(err)
	}
	if err := <-ended; err != nil {
		l.t.Fatal(err)
	}
}

// A grid whose worker is killed in the middle of a cell that has a checkpoint: all results, none twice, the same bytes as
// on one machine.
func TestAnotherWorkerGoesOn(t *testing.T) {
	l := newLab(t, fewCells, 0)
	to := filepath.Join(t.TempDir(), "few")
	l.killOne("a cell has a checkpoint", func() error { return l.job.run(context.Background(), 10*time.Second, to, io.Discard, t.Output()) })
	count := l.completed()
	if len(count) != 4 {
		t.Errorf("%d cells finished, expected 4", len(count))
	}
	for cell, n := range count {
		if n != 1 {
			t.Errorf("%s was finished %d times", cell, n)
		}
	}
	l.same(to)

	// The same grid again is joined, and finds everything finished.
	again := filepath.Join(t.TempDir(), "few")
	if err := l.job.run(context.Background(), 10*time.Second, again, io.Discard, t.Output()); err != nil {
		t.Fatal(err)
	}
	l.same(again)

	// A cell whose files were deleted from the store is made again.
	names, err := filepath.Glob(filepath.Join(l.dir, "store", "names", "cells", "*"))
	if err != nil || len(names) != 4 {
		t.Fatal(names, err)
	}
	key, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(l.dir, "store", "objects", string(key[:2]), string(key))); err != nil {
		t.Fatal(err)
	}
	if err := l.job.run(context.Background(), 10*time.Second, again, io.Discard, t.Output()); err != nil {
		t.Fatal(err)
	}
	l.same(again)
	if now, err := os.ReadFile(names[0]); err != nil || string(now) == string(key) {
		t.Errorf("a cell that was lost was not made again (%v)", err)
	}
}
