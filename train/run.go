package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/base/version"
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
}

// progressFile is the checkpoint's name in a run's folder.
const progressFile = "checkpoint.safetensors"

type saved struct {
	Version string             `json:"version"` // of unpoison
	Digest  string             `json:"digest"`
	Done    []string           `json:"done"`
	Stage   string             `json:"stage"`
	Pos     Position           `json:"position"`
	Seconds map[string]float64 `json:"seconds"`
	Engines []string           `json:"engines"`
	Log     int64              `json:"log"`
	// Values are those of Run.Put.
	Values map[string]json.RawMessage `json:"values,omitempty"`
}

// Start gives the run a fresh network, or the one of a checkpoint in its folder if resume is set.
// It reports whether there was one.
func (r *Run) Start(resume bool) (resumed bool, err error) {
	engine := engines.Describe(r.Backend)
	r.State, r.Engines = r.Network.Init(r.Seed), []string{engine}
	r.Arrays, r.Seconds, r.values = map[string][]float32{}, map[string]float64{}, map[string]json.RawMessage{}
	path := filepath.Join(r.Folder, progressFile)
	if _, err := os.Stat(path); r.Folder == "" || !resume || errors.Is(err, os.ErrNotExist) {
		if r.Rewind != nil {
			return false, r.Rewind(0)
		}
		return false, nil
	}
	arrays, meta, err := checkpoint.ReadArrays(path)
	if err != nil {
		return false, err
	}
	var s saved
	if err := json.Unmarshal([]byte(meta["progress"]), &s); err != nil {
		return false, fmt.Errorf("%s: expected a training's progress, found %.100q", path, meta["progress"])
	}
	if !checkpoint.HasChecksum(meta) || s.Version != version.Number {
		return false, fmt.Errorf("%s was written by version %s, this is %s: finish it with that one, or leave out --resume and use another --out to start over", path, cmp.Or(s.Version, "0.1 or older"), version.Number)
	}
	if s.Digest != r.Digest {
		return false, fmt.Errorf("%s belongs to a training with other data or settings; use another --out, or leave out --resume to start over", path)
	}
	for _, t := range r.State {
		a, ok := arrays["state."+t.Name]
		if !ok || len(a.Data) != len(t.Data) {
			return false, fmt.Errorf("%s: tensor %s is missing or of another size", path, t.Name)
		}
		copy(t.Data, a.Data)
	}
	for k := 0; ; k++ {
		a, ok := arrays["momentum."+strconv.Itoa(k)]
		if !ok {
			break
		}
		r.momenta = append(r.momenta, a.Data)
	}
	for name, a := range arrays {
		if rest, ok := strings.CutPrefix(name, "array."); ok {
			r.Arrays[rest] = a.Data
		}
	}
	if a, ok := arrays["epoch_losses"]; ok {
		r.losses = a.Data
	}
	r.done, r.pos, r.stage, r.Seconds = s.Done, s.Pos, s.Stage, s.Seconds
	if r.Seconds == nil {
		r.Seconds = map[string]float64{}
	}
	if s.Values != nil {
		r.values = s.Values
	}
	r.Engines = s.Engines
	if len(s.Engines) == 0 || s.Engines[len(s.Engines)-1] != engine {
		r.Engines = append(r.Engines, engine)
	}
	if r.Rewind != nil {
		return true, r.Rewind(s.Log)
	}
	return true, nil
}

func (r *Run) save() error {
	if r.Folder == "" {
		return nil
	}
	arrays := map[string]checkpoint.Array{}
	for _, t := range r.State {
		arrays["state."+t.Name] = checkpoint.Array{Dims: t.Dims, Data: t.Data}
	}
	for k, m := range r.momenta {
		arrays["momentum."+strconv.Itoa(k)] = checkpoint.Array{Dims: []int{len(m)}, Data: m}
	}
	for name, a := range r.Arrays {
		arrays["array."+name] = checkpoint.Array{Dims: []int{len(a)}, Data: a}
	}
	if r.losses != nil {
		arrays["epoch_losses"] = checkpoint.Array{Dims: []int{len(r.losses)}, Data: r.losses}
	}
	s := saved{Version: version.Number, Digest: r.Digest, Done: r.done, Stage: r.stage, Pos: r.pos, Seconds: r.Seconds, Engines: r.Engines, Values: r.values}
	if r.Log != nil {
		s.Log = r.Log()
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return checkpoint.WriteArrays(filepath.Join(r.Folder, progressFile), arrays, map[string]string{"progress": string(raw)})
}

// Put keeps a value under a name, as JSON, from the next checkpoint on: what a stage found that is no tensor.
// Numbers keep all their digits; what JSON has no word for, such as NaN, is an error. A second value of the
// same name replaces the first.
func (r *Run) Put(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keeping %q: %w", name, err)
	}
	if r.values == nil {
		r.values = map[string]json.RawMessage{}
	}
	r.values[name] = raw
	return nil
}

// Get reads the value of a name into v, a pointer, and reports whether there was one.
func (r *Run) Get(name string, v any) (bool, error) {
	raw, ok := r.values[name]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return true, fmt.Errorf("%q was kept as %.100s, which is no %T: %w", name, raw, v, err)
	}
	return true, nil
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

// Train runs a phase from the current position, saving after every epoch and when ctx ends.
// onEpoch may look at each image's losses of the epoch; nil for none.
func (r *Run) Train(ctx context.Context, p *Phase, loss Loss, onEpoch func(losses []float32) error) error {
	l, err := NewClassifier(r.Backend, r.Network, r.State, min(r.Batch, p.Len()), r.SGD, loss)
	if err != nil {
		return err
	}
	return r.TrainWith(ctx, p, l, onEpoch)
}

// TrainWith is Train with a classifier that was compiled before, of the same network, for networks that are trained one
// after another. The phase takes its batch size.
func (r *Run) TrainWith(ctx context.Context, p *Phase, l *Learner, onEpoch func(losses []float32) error) error {
	if err := l.load(0, r.State, r.momenta); err != nil {
		return err
	}
	r.momenta = l.newMoments(0)
	store := func() error {
		if err := l.store(0, r.State, r.momenta); err != nil {
			return err
		}
		r.clock()
		return r.save()
	}
	if r.losses == nil {
		r.losses = r.noLosses()
	}
	phase := *p
	phase.Batch = l.Batch
	err := phase.Run(ctx, l.classify, &r.pos, Hooks{
		Step: func(q Progress) { r.tell(Event{Progress: &q}) },
		Batch: func(b *Batch) {
			for k, i := range b.Images {
				if i >= 0 {
					r.losses[i] = b.Losses[k]
				}
			}
		},
		Epoch: func(epoch int, loss float64) error {
			r.tell(Event{Epoch: epoch, Loss: loss, Losses: r.losses})
			if onEpoch != nil {
				if err := onEpoch(r.losses); err != nil {
					return err
				}
			}
			r.losses = r.noLosses()
			return store()
		},
	})
	if err != nil && ctx.Err() != nil {
		return errors.Join(err, store())
	}
	if err != nil {
		return err
	}
	return l.store(0, r.State, nil)
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
