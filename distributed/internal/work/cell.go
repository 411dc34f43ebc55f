package work

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// beat is what a heartbeat says: where another worker goes on, and how often the cell failed.
type beat struct {
	Checkpoint store.Key `json:"checkpoint,omitempty"`
	Failures   int       `json:"failures,omitempty"`
}

const (
	// A cell that fails is tried again: it may be the machine. Kills and lost machines don't count.
	mostFailures = 3
	// A cell that tells nothing for so long hangs, and its heartbeats stop.
	mostSilence = 2 * time.Hour
)

var errStopping = errors.New("the worker is stopping")

// cell runs one cell, or goes on with it, and returns the key of its folder. A cell that is finished is not run again.
func (w *Worker) cell(ctx context.Context, in Input) (store.Key, error) {
	p, g, err := w.plan(ctx, in.Plan)
	if err != nil {
		return "", final(err)
	}
	c, err := cellNamed(g, in.Cell)
	if err != nil {
		return "", final(err)
	}
	id, err := p.identity(g, c)
	if err != nil {
		return "", err
	}
	if k, err := w.Store.Find(ctx, "cells/"+id); !errors.Is(err, store.ErrNone) {
		return k, err
	}
	var last beat
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &last); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(w.Scratch, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(w.Scratch, "cell-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	r := &run{Worker: w, plan: p, grid: g, cell: c, id: id, dir: dir}
	r.last.Store(&last)
	if err := r.prepare(ctx); err != nil {
		return "", final(err)
	}
	return r.do(ctx)
}

// run is a cell that is being run.
type run struct {
	*Worker
	plan *Plan
	grid *experiment.Grid
	cell experiment.Cell
	id   string
	dir  string // holds cells/NAME

	last  atomic.Pointer[beat]
	event atomic.Int64 // when something happened last
}

func (r *run) folder() string { return filepath.Join(r.dir, "grid", "cells", r.cell.Name()) }

// prepare fetches what the cell starts from: its data, the runs that it builds on, and its last checkpoint.
func (r *run) prepare(ctx context.Context) error {
	var err error
	activity.RecordHeartbeat(ctx, *r.last.Load())
	if r.grid.Data, err = r.local(ctx, r.plan); err != nil {
		return err
	}
	for _, n := range r.cell.Needs() {
		k, err := r.plan.Result(ctx, r.Store, r.grid, n)
		if errors.Is(err, store.ErrNone) {
			return &wrongError{fmt.Errorf("it builds on %s, which is not finished", n.Name())}
		}
		if err != nil {
			return err
		}
		if err := r.Store.GetFolder(ctx, k, filepath.Join(filepath.Dir(r.folder()), n.Name())); err != nil {
			return err
		}
	}
	k := r.last.Load().Checkpoint
	if k == "" {
		if k, err = r.Store.Find(ctx, "checkpoints/"+r.id); errors.Is(err, store.ErrNone) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if err := r.Store.GetFolder(ctx, k, r.folder()); err != nil {
		activity.GetLogger(ctx).Warn("the checkpoint can't be read; the cell starts over", "cell", r.cell.Name(), "error", err)
		return os.RemoveAll(r.folder())
	}
	return nil
}

// do runs the cell with heartbeats, and keeps the result, or what another worker can go on from.
func (r *run) do(ctx context.Context) (store.Key, error) {
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		r.heartbeats(inner)
	}()
	go func() {
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			stop(errStopping)
		case <-inner.Done():
		}
	}()
	r.event.Store(time.Now().UnixNano())
	log := activity.GetLogger(ctx)
	e := &experiment.Runner{
		Grid: r.grid, Folder: filepath.Join(r.dir, "grid"), Backend: r.Backend, Cache: filepath.Join(r.Scratch, "cache"), Only: r.cell.Name(),
		Watch: func(experiment.Cell, runs.Event) {
			if r.Watch != nil {
				r.Watch(r.checkpoint())
			}
			r.event.Store(time.Now().UnixNano())
		},
		Say: func(format string, args ...any) { log.Info(fmt.Sprintf(format, args...)) },
	}
	err := e.Run(inner)
	why := context.Cause(inner)
	stop(nil)
	<-beats
	switch {
	case err == nil:
		return r.keep(ctx)
	case why != nil: // cancelled, stopped, or replaced by another worker
		r.leave(ctx)
		if errors.Is(why, errStopping) {
			return "", errStopping
		}
		return "", ctx.Err()
	}
	b := *r.last.Load()
	if b.Failures++; b.Failures >= mostFailures {
		return "", temporal.NewNonRetryableApplicationError(err.Error(), "failed", nil)
	}
	activity.RecordHeartbeat(ctx, b)
	return "", err
}

// keep puts the finished run into the store. Of two workers that finish the same cell the first counts.
func (r *run) keep(ctx context.Context) (store.Key, error) {
	k, err := r.Store.PutFolder(ctx, r.folder())
	if err != nil {
		return "", err
	}
	return r.Store.Name(ctx, "cells/"+r.id, k, true)
}

// leave keeps the checkpoint that a stopped run has written. The context has ended already.
func (r *run) leave(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer stop()
	if _, err := os.Stat(r.checkpoint()); err != nil {
		return
	}
	k, err := r.Store.PutFolder(ctx, r.folder())
	if err == nil {
		_, err = r.Store.Name(ctx, "checkpoints/"+r.id, k, false)
	}
	if err != nil {
		activity.GetLogger(ctx).Warn("the checkpoint could not be kept", "cell", r.cell.Name(), "error", err)
		return
	}
	b := *r.last.Load()
	b.Checkpoint = k
	activity.RecordHeartbeat(ctx, b)
}

func (r *run) checkpoint() string { return filepath.Join(r.folder(), "checkpoint.safetensors") }

// heartbeats tells Temporal until ctx ends that the cell is worked at, four times in a heartbeat's time, and from which
// checkpoint another worker would go on.
func (r *run) heartbeats(ctx context.Context) {
	every := activity.GetInfo(ctx).HeartbeatTimeout / 4
	if every <= 0 {
		every = DefaultHeartbeat / 4
	}
	go r.uploads(ctx, every)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if time.Since(time.Unix(0, r.event.Load())) < mostSilence {
			activity.RecordHeartbeat(ctx, *r.last.Load())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// uploads keeps every checkpoint that it finds. Heartbeats don't wait for it.
func (r *run) uploads(ctx context.Context, every time.Duration) {
	var seen time.Time
	for {
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return
		}
		info, err := os.Stat(r.checkpoint())
		if err != nil || info.ModTime().Equal(seen) {
			continue
		}
		// The checkpoint comes before the log in the folder's order: the log then holds all that the checkpoint counts.
		k, err := r.Store.PutFolder(ctx, r.folder())
		if err != nil {
			activity.GetLogger(ctx).Warn("the checkpoint could not be kept", "cell", r.cell.Name(), "error", err)
			continue
		}
		seen = info.ModTime()
		b := *r.last.Load()
		b.Checkpoint = k
		r.last.Store(&b)
	}
}
