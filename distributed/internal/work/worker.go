package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gomlx/gomlx/backends"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/base/version"
)

// Worker runs cells and audits. It is safe for concurrent use.
type Worker struct {
	Store   *store.Store
	Scratch string // folder for runs in progress and copies of data
	Backend backends.Backend
	Cells   int                     // at a time; 0 is 1
	Watch   func(checkpoint string) // called while a cell runs, with where its checkpoint is or will be; nil for nobody

	client client.Client
	data   sync.Mutex // while data are copied
	pass   sync.Mutex // of what was read last for parts:
	passOf store.Key
	passIs evaluate.Pass
	planOf store.Key
	planIs *AuditPlan
}

// stopTime is how long a worker that is told to stop may take to save what it runs.
const stopTime = 2 * time.Minute

// deadlockTime is how long a workflow may wait for the processor, which computes cells beside it.
const deadlockTime = time.Minute

// Tasks takes tasks from Temporal.
type Tasks []worker.Worker

// Start starts to take them.
func (t Tasks) Start() error {
	for k, own := range t {
		if err := own.Start(); err != nil {
			t[:k].Stop()
			return err
		}
	}
	return nil
}

// Stop takes no more, and waits until what runs is saved.
func (t Tasks) Stop() {
	var group sync.WaitGroup
	for _, own := range t {
		group.Go(own.Stop)
	}
	group.Wait()
}

// New returns a worker that takes tasks from Temporal when it is started.
func (w *Worker) New(c client.Client) Tasks {
	w.client = c
	o := worker.Options{
		MaxConcurrentActivityExecutionSize: max(1, w.Cells), MaxConcurrentActivityTaskPollers: 1,
		WorkerStopTimeout: stopTime, MaxHeartbeatThrottleInterval: 10 * time.Second, DeadlockDetectionTimeout: deadlockTime,
	}
	long := worker.New(c, Queue, o)
	w.register(long)
	o.MaxConcurrentActivityExecutionSize = 1
	parts := worker.New(c, PartsQueue, o)
	w.registerParts(parts)
	return Tasks{long, parts}
}

func (w *Worker) register(r worker.Registry) {
	r.RegisterWorkflowWithOptions(grid, workflow.RegisterOptions{Name: GridWorkflow})
	r.RegisterWorkflowWithOptions(part, workflow.RegisterOptions{Name: partWorkflow})
	r.RegisterWorkflowWithOptions(auditAll, workflow.RegisterOptions{Name: AuditWorkflow})
	r.RegisterActivityWithOptions(w.parts, activity.RegisterOptions{Name: partsActivity})
	r.RegisterActivityWithOptions(w.cells, activity.RegisterOptions{Name: cellsActivity})
	r.RegisterActivityWithOptions(w.cell, activity.RegisterOptions{Name: cellActivity})
	r.RegisterActivityWithOptions(w.lead, activity.RegisterOptions{Name: leadActivity})
}

func (w *Worker) registerParts(r worker.Registry) {
	r.RegisterWorkflowWithOptions(mapAll, workflow.RegisterOptions{Name: mapWorkflow})
	r.RegisterWorkflowWithOptions(mapSome, workflow.RegisterOptions{Name: someWorkflow})
	r.RegisterActivityWithOptions(w.step, activity.RegisterOptions{Name: stepActivity})
}

// plan reads a plan of this program's version.
func (w *Worker) plan(ctx context.Context, k store.Key) (*Plan, *experiment.Grid, error) {
	p, g, err := ReadPlan(ctx, w.Store, k)
	if err == nil && p.Version != version.String() {
		err = otherVersion(p.Version)
	}
	return p, g, err
}

// parts cuts a grid's cells into lists of PartSize, in two stages: those that need no others, then the rest.
func (w *Worker) parts(ctx context.Context, in Input) ([][]store.Key, error) {
	_, g, err := w.plan(ctx, in.Plan)
	if err != nil {
		return nil, final(err)
	}
	stages, err := cut(g, func(names []string) (store.Key, error) {
		raw, err := json.Marshal(names)
		if err != nil {
			return "", err
		}
		return w.Store.Put(ctx, raw)
	})
	return stages, final(err)
}

func cut(g *experiment.Grid, put func(names []string) (store.Key, error)) ([][]store.Key, error) {
	var names [2][]string
	for _, c := range g.Cells() {
		stage := 0
		if len(c.Needs()) > 0 {
			stage = 1
		}
		names[stage] = append(names[stage], c.Name())
	}
	stages := make([][]store.Key, 2)
	for i, all := range names {
		for len(all) > 0 {
			n := min(PartSize, len(all))
			k, err := put(all[:n])
			if err != nil {
				return nil, err
			}
			stages[i], all = append(stages[i], k), all[n:]
		}
	}
	return stages, nil
}

// cells reads the names of a part's cells.
func (w *Worker) cells(ctx context.Context, in Input) ([]string, error) {
	raw, err := w.Store.Get(ctx, in.Part)
	if err != nil {
		return nil, final(err)
	}
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return nil, final(&wrongError{fmt.Errorf("%s is no list of cells: %w", in.Part, err)})
	}
	if len(names) > PartSize {
		return nil, final(&wrongError{fmt.Errorf("a part of %d cells, expected %d at most", len(names), PartSize)})
	}
	return names, nil
}

// final marks errors that trying again does not mend.
func final(err error) error {
	var wrong *wrongError
	if errors.As(err, &wrong) {
		return temporal.NewNonRetryableApplicationError(err.Error(), "wrong", nil)
	}
	return err
}

// local returns the data as this machine's grids name them, and copies them here if they are not.
func (w *Worker) local(ctx context.Context, p *Plan) (string, error) {
	if p.Data == "" {
		return rendered, nil
	}
	w.data.Lock()
	defer w.data.Unlock()
	dir := filepath.Join(w.Scratch, "data", string(p.Data))
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
			return "", err
		}
		part, err := os.MkdirTemp(filepath.Dir(dir), ".data-*")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(part)
		if err := w.Store.GetFolder(ctx, p.Data, filepath.Join(part, "data")); err != nil {
			return "", err
		}
		if err := os.Rename(filepath.Join(part, "data"), dir); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, p.File)
	if p.Layout != "" {
		path = p.Layout + ":" + path
	}
	return path, nil
}
