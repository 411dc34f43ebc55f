// Package abl is Anti-Backdoor Learning (Li et al., NeurIPS 2021): training a clean network on data
// that may be poisoned. In the first epochs local gradient ascent makes poisoned images stand out by
// their low loss; the lowest are isolated, the network is trained on the rest, and what the isolated
// ones taught is unlearnt by gradient ascent.
package abl

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
	"github.com/unpoison/unpoison/unlearn"
)

// Suspect is an image in the order of suspicion.
type Suspect struct {
	Index    int
	Score    float32 // its loss; low is suspicious
	Isolated bool
	// Probability of being poisoned, where a defence estimates one.
	Probability float32
}

// Result is a finished training.
type Result struct {
	Network  *model.Network
	Model    model.State
	Suspects []Suspect        // all images, most suspicious first; empty without isolation
	Unlearn  *unlearn.Outcome // nil if there was no unlearning
	Seconds  map[string]float64
	Isolated int      // epochs of isolation
	Engines  []string // that computed, in turn
}

// Settings of a run beside the recipe.
type Settings struct {
	Folder string // for checkpoints; empty keeps none
	Resume bool
	Watch  func(train.Event)
	Init   model.State // start from these tensors instead of fresh ones
	// Backend computes; nil is the cpu engine.
	Backend backends.Backend
	// Log and Rewind keep a log in step with the checkpoints; see train.Run.
	Log    func() int64
	Rewind func(size int64) error
}

func (o Options) check(train *dataset.Set) error {
	if n := train.Len(); n < 2*o.Batch && n < 64 {
		return fmt.Errorf("%d training images are too few to learn from, expected at least %d", n, min(2*o.Batch, 64))
	}
	return o.Check()
}

// Train trains a network on set, which is not changed. With IsolateEpochs 0 it is plain training; with TuneEpochs 0 and
// Unlearn "none" it only ranks the images by suspicion, and its network is no use as a classifier.
// When ctx ends, the folder's checkpoint is where Resume goes on.
func Train(ctx context.Context, set *dataset.Set, o Options, s Settings) (*Result, error) {
	r, err := Start(set, o, s, "")
	if err != nil {
		return nil, err
	}
	return run(ctx, r, o)
}

// Start checks the recipe and returns a run with a fresh network, or that of a checkpoint. more is what a checkpoint
// must agree on beside the recipe.
func Start(set *dataset.Set, o Options, s Settings, more string) (*train.Run, error) {
	if err := o.check(set); err != nil {
		return nil, err
	}
	n, err := model.New(o.Network, len(set.Classes), set.Height, set.Width)
	if err != nil {
		return nil, err
	}
	backend := s.Backend
	if backend == nil {
		if backend, err = cpu.New(""); err != nil {
			return nil, err
		}
	}
	settings, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	r := &train.Run{
		Backend: backend, Network: n, Data: set, Seed: o.Seed, Batch: o.Batch, SGD: train.DefaultSGD,
		Folder: s.Folder, Digest: set.Digest() + string(settings) + more, Watch: s.Watch, Log: s.Log, Rewind: s.Rewind,
	}
	resumed, err := r.Start(s.Resume)
	if err != nil {
		return nil, err
	}
	if s.Init != nil && !resumed {
		if len(s.Init) != len(r.State) {
			return nil, fmt.Errorf("the network to start from has %d tensors, %s has %d", len(s.Init), o.Network, len(r.State))
		}
		for i, t := range s.Init {
			if t.Name != r.State[i].Name || len(t.Data) != len(r.State[i].Data) {
				return nil, fmt.Errorf("the network to start from has the tensor %s where %s has %s", t.Name, o.Network, r.State[i].Name)
			}
			copy(r.State[i].Data, t.Data)
		}
	}
	return r, nil
}

func run(ctx context.Context, r *train.Run, o Options) (*Result, error) {
	res := &Result{Network: r.Network}
	all := isolate.Iota(r.Data.Len())
	kept, isolated, heldBack := all, []int(nil), []int(nil)
	if o.IsolateEpochs > 0 {
		scores, err := Isolate(ctx, r, o)
		if err != nil {
			return nil, err
		}
		split := isolate.Split(scores, o.Isolation, o.HeldBackShare, o.Seed)
		kept, isolated, heldBack = split.Kept, split.Isolated, split.HeldBack
		for k, i := range split.Order {
			res.Suspects = append(res.Suspects, Suspect{Index: i, Score: scores[i], Isolated: k < len(isolated)})
		}
	}
	if err := Tune(ctx, r, o, kept, nil); err != nil {
		return nil, err
	}
	if o.UnlearnEpochs > 0 {
		o.UnlearnSteps = int(math.Ceil(o.UnlearnEpochs * float64(len(kept)) / unlearnKept))
		if o.Unlearn == "split" {
			o.UnlearnSteps = int(math.Ceil(o.UnlearnEpochs * float64(len(isolated)) / unlearnIsolated))
		}
	}
	if len(isolated) > 0 && o.Unlearn != "none" && o.UnlearnSteps > 0 {
		var err error
		res.Unlearn, err = doUnlearn(ctx, r, o, unlearn.Sets{Data: r.Data, Kept: kept, Isolated: isolated, HeldBack: heldBack})
		if err != nil {
			return nil, err
		}
	}
	res.Finish(r)
	return res, nil
}

// Tune runs the training on what was kept, and on more examples.
func Tune(ctx context.Context, r *train.Run, o Options, kept []int, more []train.Example) error {
	return r.Stage("tune", func() error {
		schedule, err := train.ScheduleNamed(o.Schedule, o.TuneRate)
		if err != nil {
			return err
		}
		p := &train.Phase{Name: "tune", Data: r.Data, Indices: kept, More: more, Epochs: o.TuneEpochs, Schedule: schedule, Seed: o.Seed}
		if o.Augment {
			p.Augment = augment.Standard(min(r.Data.Height, r.Data.Width), o.Flip)
		}
		if o.TuneEpochs == 0 {
			return nil
		}
		if len(more) == 0 {
			return r.Train(ctx, p, train.Mean, nil)
		}
		return r.Train(ctx, p, train.Contradict, nil)
	})
}

// Finish takes over what a run has made: the network, and what it took.
func (res *Result) Finish(r *train.Run) {
	res.Model, res.Seconds, res.Isolated, res.Engines = r.State, r.Seconds, isolationEpochs(r), r.Engines
}

// isolationEpochs returns how many epochs the isolation of a run took.
func isolationEpochs(r *train.Run) int {
	if n := r.Arrays["epochs"]; len(n) == 1 {
		return int(n[0])
	}
	return 0
}

// Isolate runs stage 1 on r: it trains with the isolation loss and returns each image's score, low
// for suspicious ones.
func Isolate(ctx context.Context, r *train.Run, o Options) ([]float32, error) {
	loss := o.loss()
	err := r.Stage("isolate", func() error {
		p := &train.Phase{Name: "isolate", Data: r.Data, Indices: isolate.Iota(r.Data.Len()), Schedule: train.Constant(o.IsolateRate), Seed: o.Seed}
		keep := func(losses []float32) error {
			r.Arrays[fmt.Sprintf("epoch.%d", len(r.Arrays))] = slices.Clone(losses)
			return nil
		}
		for p.Epochs = o.IsolateEpochs; ; p.Epochs++ {
			if done := len(r.Arrays); done < p.Epochs { // an earlier run may have come further
				if err := r.Train(ctx, p, loss, keep); err != nil {
					return err
				}
			}
			if p.Epochs >= o.IsolateMost || mean(r.Arrays[fmt.Sprintf("epoch.%d", p.Epochs-1)]) < o.Gamma+isolatedBelow {
				return nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	err = r.Stage("rank", func() error {
		e, err := r.Evaluator()
		if err != nil {
			return err
		}
		final, err := e.Losses(ctx, r.Data)
		if err != nil {
			return err
		}
		var epochs [][]float32
		for k := range len(r.Arrays) {
			epochs = append(epochs, r.Arrays[fmt.Sprintf("epoch.%d", k)])
		}
		clear(r.Arrays)
		r.Arrays["epochs"] = []float32{float32(len(epochs))}
		if more := len(epochs) - o.IsolateEpochs; more > 0 {
			epochs = epochs[more:] // it went on since what is easy was not learnt in the first ones
		}
		if o.RankEpochs > 0 && len(epochs) > o.RankEpochs+1 {
			epochs = epochs[len(epochs)-o.RankEpochs-1:]
		}
		r.Arrays["scores"] = isolate.Scores(o.Rank, epochs, final)
		return nil
	})
	return r.Arrays["scores"], err
}

// isolatedBelow is how far above γ an epoch's mean loss may be at the end of isolation.
const isolatedBelow = 0.25

// mean returns the mean of an epoch's losses; images that took no part have −1.
func mean(losses []float32) float64 {
	sum, n := 0.0, 0
	for _, l := range losses {
		if l >= 0 {
			sum, n = sum+float64(l), n+1
		}
	}
	return sum / float64(max(1, n))
}

// Images a step of unlearning.
const (
	unlearnKept     = 128
	unlearnIsolated = 64
)

// Unlearning returns the recipe's settings of gradient ascent. Isolated images are pushed to a uniform
// guess's loss, ln(classes), unless a limit is given; a negative one means none.
func (o Options) Unlearning(n *model.Network) unlearn.Options {
	limit := o.UnlearnLimit
	switch {
	case limit == 0:
		limit = math.Log(float64(n.Classes))
	case limit < 0:
		limit = math.Inf(1)
	}
	u := unlearn.Options{
		Mode: o.Unlearn, Steps: o.UnlearnSteps, Rate: o.UnlearnRate, Limit: limit, Tolerance: o.Tolerance,
		Unlearnt: 0.05, Every: 20, Kept: unlearnKept, Isolated: unlearnIsolated, Seed: o.Seed, Refine: o.Refine,
	}
	if o.Unlearn == "split" {
		u.Every = 1
	}
	if o.Augment {
		u.Augment = augment.Standard(min(n.Height, n.Width), o.Flip)
	}
	return u
}

func doUnlearn(ctx context.Context, r *train.Run, o Options, sets unlearn.Sets) (*unlearn.Outcome, error) {
	var out *unlearn.Outcome
	err := r.Stage("unlearn", func() error {
		uo := o.Unlearning(r.Network)
		var err error
		out, err = unlearn.Run(ctx, r.Backend, r.Network, r.State, sets, uo, func(p train.Progress) {
			if r.Watch != nil {
				r.Watch(train.Event{Stage: "unlearn", Progress: &p})
			}
		})
		if err != nil {
			return err
		}
		r.Arrays["unlearn"] = outcomeArray(out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if out == nil { // the stage was finished by an earlier run
		out = outcomeOf(r.Arrays["unlearn"])
	}
	return out, nil
}

func outcomeArray(o *unlearn.Outcome) []float32 {
	b := func(v bool) float32 {
		if v {
			return 1
		}
		return 0
	}
	return []float32{
		float32(o.Steps), float32(o.Isolated), float32(o.Before), float32(o.After),
		b(o.RolledBack), b(o.Unlearnt), float32(o.LowestBefore), float32(o.Dropped),
	}
}

func outcomeOf(a []float32) *unlearn.Outcome {
	if len(a) != 8 {
		return nil
	}
	return &unlearn.Outcome{
		Steps: int(a[0]), Isolated: float64(a[1]), Before: float64(a[2]), After: float64(a[3]),
		RolledBack: a[4] == 1, Unlearnt: a[5] == 1, LowestBefore: float64(a[6]), Dropped: int(a[7]),
	}
}
