package train

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
)

// Event is something to tell who watches.
type Event struct {
	Stage    string
	Progress *Progress // after a step
	Epoch    int       // after an epoch, from 1
	Loss     float64   // mean of the epoch
	Losses   []float32 // after an epoch: each image's last training loss, −1 where it took no part
	Note     string    // anything else, in a sentence
}

// Run is a training in stages. It is not for concurrent use.
type Run struct {
	Backend backends.Backend
	Network *model.Network
	Data    *dataset.Set
	Seed    uint64
	Batch   int
	SGD     SGD // the zero value stands for DefaultSGD
	// Passes makes passes over Data; nil: this machine does.
	Passes evaluate.Passes
	// Folder is where checkpoints go; empty keeps none.
	Folder string
	// Within is a run of which this is a part, under a name of its own: it keeps this one's checkpoint in its own until Finish.
	Within *Run
	Name   string
	// Digest tells whether a checkpoint belongs to this training: of data and settings.
	Digest string
	// Watch receives events; nil for none.
	Watch func(Event)
	// Log returns the size of the caller's log, which checkpoints remember; Rewind receives it when
	// a training goes on from one. Both may be nil.
	Log    func() int64
	Rewind func(size int64) error

	State   model.State
	Arrays  map[string][]float32 // what stages leave for later ones
	Seconds map[string]float64   // time spent in each stage
	Engines []string             // that computed so far, in turn; a training may go on with another

	values  map[string]json.RawMessage // of Put
	momenta [][]float32
	done    []string
	pos     Position
	losses  []float32 // of the epoch in progress
	eval    *evaluate.Evaluator
	began   time.Time
	stage   string
	part    *part
}

func (r *Run) tell(e Event) {
	if r.Watch != nil {
		e.Stage = r.stage
		r.Watch(e)
	}
}

// Note tells the watcher a sentence.
func (r *Run) Note(format string, args ...any) { r.tell(Event{Note: fmt.Sprintf(format, args...)}) }

// Stage runs do, unless an earlier run has finished this stage already, and saves. A stage that an
// earlier run left halfway goes on from r's position.
func (r *Run) Stage(name string, do func() error) error {
	if slices.Contains(r.done, name) {
		return nil
	}
	if r.stage != name {
		r.stage, r.pos, r.momenta, r.losses = name, Position{}, nil, nil
	}
	r.began = time.Now()
	err := do()
	if err != nil {
		return err
	}
	r.clock()
	r.done = append(r.done, name)
	r.momenta, r.pos, r.losses = nil, Position{}, nil
	return r.save()
}

// Again begins the stage's training anew, from a state that becomes the run's.
func (r *Run) Again(state model.State) error {
	r.State, r.momenta, r.pos, r.losses = state, nil, Position{}, nil
	return r.save()
}

// Save writes a checkpoint within a stage: what a stage left in Arrays is there when it goes on.
func (r *Run) Save() error {
	r.clock()
	return r.save()
}

func (r *Run) clock() {
	now := time.Now()
	r.Seconds[r.stage] += now.Sub(r.began).Seconds()
	r.began = now
}

// noLosses are those of images of which none took part yet.
func (r *Run) noLosses() []float32 { return slices.Repeat([]float32{-1}, r.Data.Len()) }

// Evaluator returns an evaluator that holds the current network.
func (r *Run) Evaluator() (*evaluate.Evaluator, error) {
	if r.eval == nil {
		e, err := evaluate.New(r.Backend, r.Network)
		if err != nil {
			return nil, err
		}
		r.eval = e
	}
	return r.eval, r.eval.Load(r.State)
}

// Pass makes a pass over some of the run's images, or over all; see evaluate.Passes.
func (r *Run) Pass(ctx context.Context, p evaluate.Pass, images []int, visit func(i int, row []float32)) error {
	if r.Passes != nil {
		return r.Passes.Pass(ctx, p, images, visit)
	}
	return evaluate.Here{Backend: r.Backend, Set: r.Data}.Pass(ctx, p, images, visit)
}

// ImageLosses returns each image's cross-entropy under the current network, as evaluate.Evaluator.Losses does.
func (r *Run) ImageLosses(ctx context.Context) ([]float32, error) {
	if r.Passes == nil {
		e, err := r.Evaluator()
		if err != nil {
			return nil, err
		}
		return e.Losses(ctx, r.Data)
	}
	l := make([]float32, r.Data.Len())
	err := r.Passes.Pass(ctx, evaluate.Pass{Network: r.Network, State: r.State}, nil, func(i int, z []float32) {
		l[i] = float32(evaluate.CrossEntropy(z, int(r.Data.Labels[i])))
	})
	return l, err
}
