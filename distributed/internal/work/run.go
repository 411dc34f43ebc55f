package work

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/unpoison/unpoison/distributed/internal/store"
)

// beat is what a heartbeat says: where another worker goes on, how often the run failed, and, of an audit, what it does.
type beat struct {
	Checkpoint store.Key `json:"checkpoint,omitempty"`
	Failures   int       `json:"failures,omitempty"`
	Doing
}

// Doing is what a worker does that leads an audit.
type Doing struct {
	Doing string `json:"doing,omitempty"` // in a few words
	Map   string `json:"map,omitempty"`   // ID of the workflow that it waits for
}

const (
	// A run that fails is tried again: it may be the machine. Kills and lost machines don't count.
	mostFailures = 3
	// A run that tells nothing for so long hangs, and its heartbeats stop.
	mostSilence = 2 * time.Hour
	// An audit may be silent for so much longer for each of its images: looks go through all pixels a few times without a word.
	imageSilence = 10 * time.Millisecond
)

var errStopping = errors.New("the worker is stopping")

// begin returns what the last worker told of the same work, zero if there was none, and a new folder for it, to be removed by the caller.
func (w *Worker) begin(ctx context.Context, pattern string) (last beat, dir string, err error) {
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &last); err != nil {
			return last, "", err
		}
	}
	if err := os.MkdirAll(w.Scratch, 0o777); err != nil {
		return last, "", err
	}
	dir, err = os.MkdirTemp(w.Scratch, pattern)
	return last, dir, err
}

// found returns what a name stands for. If the store has lost some of that, the error is store.ErrNone, and lost says so: whoever
// makes it again gives it the name.
func (w *Worker) found(ctx context.Context, name string, has func(context.Context, store.Key) (bool, error)) (k store.Key, lost bool, err error) {
	if k, err = w.Store.Find(ctx, name); err != nil {
		return "", false, err
	}
	there, err := has(ctx, k)
	if err == nil && !there {
		return "", true, store.ErrNone
	}
	return k, false, err
}

// run is what takes long, and can be gone on with by another worker.
type run struct {
	*Worker
	id     string // of all that it depends on
	result string // the name of what comes out
	name   string // for people
	folder string

	lost bool // there was a result, and the store has lost some of it

	last   atomic.Pointer[beat]
	event  atomic.Int64 // when something happened last
	images atomic.Int64 // that an audit goes through
}

// beating tells Temporal from now on that the run is worked at, until the function that it returns is called: from before anything
// is fetched until all is kept. What moves to and from the store under the new context counts as something that happens.
func (r *run) beating(ctx context.Context, last beat) (context.Context, func()) {
	r.last.Store(&last)
	r.moved()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		r.heartbeats(ctx, end)
	}()
	return store.Watched(ctx, r.moved), func() {
		close(end)
		<-ended
	}
}

// moved notes that something goes on: a piece of a file, or an image.
func (r *run) moved() { r.event.Store(time.Now().UnixNano()) }

// hangs tells whether nothing has happened for too long.
func (r *run) hangs() bool {
	return time.Since(time.Unix(0, r.event.Load())) >= mostSilence+time.Duration(r.images.Load())*imageSilence
}

// happened notes that the run does not hang.
func (r *run) happened() {
	if r.Watch != nil {
		r.Watch(r.checkpoint())
	}
	r.moved()
}

// change changes what heartbeats say.
func (r *run) change(with func(b *beat)) {
	for {
		old := r.last.Load()
		b := *old
		if with(&b); r.last.CompareAndSwap(old, &b) {
			return
		}
	}
}

// restore fetches the last checkpoint, if there is one.
func (r *run) restore(ctx context.Context) error {
	var err error
	k := r.last.Load().Checkpoint
	if k == "" {
		if k, err = r.Store.Find(ctx, "checkpoints/"+r.id); errors.Is(err, store.ErrNone) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if err := r.Store.GetFolder(ctx, k, r.folder); err != nil {
		if !errors.Is(err, store.ErrNone) && !errors.Is(err, store.ErrDamaged) {
			return err // a store that can't be reached now: another try finds the checkpoint
		}
		activity.GetLogger(ctx).Warn("the checkpoint can't be read; it starts over", "run", r.name, "error", err)
		return os.RemoveAll(r.folder)
	}
	return nil
}

// do does the work, and keeps the result, or what another worker can go on from.
func (r *run) do(ctx context.Context, work func(ctx context.Context) error) (store.Key, error) {
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	uploaded := make(chan struct{})
	go func() {
		defer close(uploaded)
		r.uploads(inner)
	}()
	go func() {
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			stop(errStopping)
		case <-inner.Done():
		}
	}()
	r.moved()
	err := work(inner)
	why := context.Cause(inner)
	stop(nil)
	<-uploaded
	switch {
	case err == nil:
		return r.keep(ctx)
	case why != nil: // cancelled, stopped, or replaced by another worker
		if owned(why) {
			r.leave(ctx)
		}
		if errors.Is(why, errStopping) {
			return "", errStopping
		}
		return "", ctx.Err()
	}
	var wrong *wrongError
	if errors.As(err, &wrong) {
		return "", final(err)
	}
	r.change(func(b *beat) { b.Failures++ })
	b := *r.last.Load()
	if b.Failures >= mostFailures {
		return "", temporal.NewNonRetryableApplicationError(err.Error(), "failed", nil)
	}
	activity.RecordHeartbeat(ctx, b)
	return "", err
}

// owned tells whether a run that ends for a reason is still this worker's: it was cancelled or paused, or the worker stops. One that Temporal no
// longer knows, or does not answer about, another worker may have gone on with, further than this one.
func owned(why error) bool {
	return errors.Is(why, errStopping) || errors.Is(why, activity.ErrActivityPaused) || temporal.IsCanceledError(why)
}

// keep puts the finished run into the store. Of two workers that finish the same one the first counts, unless the store
// has lost its files.
func (r *run) keep(ctx context.Context) (store.Key, error) {
	k, err := r.Store.PutFolder(ctx, r.folder)
	if err != nil {
		return "", err
	}
	return r.Store.Name(ctx, r.result, k, !r.lost)
}

// leave keeps the checkpoint that a stopped run has written. The context has ended already.
func (r *run) leave(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer stop()
	if _, err := os.Stat(r.checkpoint()); err != nil {
		return
	}
	k, err := r.Store.PutFolder(ctx, r.folder)
	if err == nil {
		_, err = r.Store.Name(ctx, "checkpoints/"+r.id, k, false)
	}
	if err != nil {
		activity.GetLogger(ctx).Warn("the checkpoint could not be kept", "run", r.name, "error", err)
		return
	}
	r.change(func(b *beat) { b.Checkpoint = k })
	activity.RecordHeartbeat(ctx, *r.last.Load())
}

func (r *run) checkpoint() string { return filepath.Join(r.folder, "checkpoint.safetensors") }

// beatTime is the time between two heartbeats.
func beatTime(ctx context.Context) time.Duration {
	if t := activity.GetInfo(ctx).HeartbeatTimeout; t > 0 {
		return t / 4
	}
	return DefaultHeartbeat / 4
}

// heartbeats tells Temporal that the run is worked at, four times in a heartbeat's time, and from which checkpoint another worker
// would go on. A run that is cancelled is worked at until it is saved.
func (r *run) heartbeats(ctx context.Context, end <-chan struct{}) {
	ctx = context.WithoutCancel(ctx)
	tick := time.NewTicker(beatTime(ctx))
	defer tick.Stop()
	for {
		if !r.hangs() {
			activity.RecordHeartbeat(ctx, *r.last.Load())
		}
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

// uploads keeps every checkpoint that it finds. Heartbeats don't wait for it.
func (r *run) uploads(ctx context.Context) {
	every := beatTime(ctx)
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
		k, err := r.Store.PutFolder(ctx, r.folder)
		if err != nil {
			activity.GetLogger(ctx).Warn("the checkpoint could not be kept", "run", r.name, "error", err)
			continue
		}
		seen = info.ModTime()
		r.change(func(b *beat) { b.Checkpoint = k })
		if _, err := r.Store.Name(ctx, "checkpoints/"+r.id, k, false); err != nil { // for who starts without this one's heartbeats
			activity.GetLogger(ctx).Warn("the checkpoint could not be named", "run", r.name, "error", err)
		}
	}
}
