package train

import (
	"context"
	"errors"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// Trainer is a classifier's training step, compiled when TrainWith first needs it. An engine that can repeat a program
// (gx.Looper) keeps the images and does many steps a call; others, and phases that this does not suit, do one.
type Trainer struct {
	Batch int // images a step

	backend  backends.Backend
	network  *model.Network
	sgd      SGD
	loss     Loss
	step     *Learner
	resident *resident
	refused  bool // the engine can't after all
}

// NewTrainer readies the training of a network. The arguments are those of NewClassifier.
func NewTrainer(b backends.Backend, n *model.Network, batch int, opt SGD, loss Loss) *Trainer {
	return &Trainer{Batch: batch, backend: b, network: n, sgd: opt, loss: loss}
}

// ready returns what trains on a phase, whose tensors are loaded and stored there, compiling it unless it is.
func (t *Trainer) ready(r *Run, p *Phase) (*Learner, func(ctx context.Context, h Hooks) error, error) {
	if _, able := t.backend.(gx.Looper); able && !t.refused && suits(p) {
		err := error(nil)
		if t.resident == nil || !t.resident.holds(p) {
			t.resident, err = newResident(t, r.State, p)
		}
		if err == nil {
			return t.resident.Learner, func(ctx context.Context, h Hooks) error { return t.resident.run(ctx, p, &r.pos, h) }, nil
		}
		t.refused = true
		r.Note("the engine makes a call for each step, since it can't make one for many: %v", err)
	}
	if t.step == nil {
		l, err := NewClassifier(t.backend, t.network, r.State, t.Batch, t.sgd, t.loss)
		if err != nil {
			return nil, nil, err
		}
		t.step = l
	}
	return t.step, func(ctx context.Context, h Hooks) error { return p.Run(ctx, t.step.classify, &r.pos, h) }, nil
}

// Train runs a phase from the current position, saving after every epoch and when ctx ends.
// onEpoch may look at each image's losses of the epoch; nil for none.
func (r *Run) Train(ctx context.Context, p *Phase, loss Loss, onEpoch func(losses []float32) error) error {
	return r.TrainWith(ctx, p, NewTrainer(r.Backend, r.Network, min(r.Batch, p.Len()), r.SGD, loss), onEpoch)
}

// TrainWith is Train with a trainer that may be compiled already, of the same network, for networks that are trained one
// after another. The phase takes its batch size.
func (r *Run) TrainWith(ctx context.Context, p *Phase, t *Trainer, onEpoch func(losses []float32) error) error {
	phase := *p
	phase.Batch = t.Batch
	l, run, err := t.ready(r, &phase)
	if err != nil {
		return err
	}
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
	err = run(ctx, Hooks{
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
