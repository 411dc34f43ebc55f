// Package abl is Anti-Backdoor Learning (Li et al., NeurIPS 2021): training a clean network on data
// that may be poisoned. In the first epochs local gradient ascent makes poisoned images stand out by
// their low loss. The images of lowest loss are isolated and the network is trained on the rest. Gradient
// ascent on the isolated images then makes it unlearn what they taught.
package abl

import (
	"context"
	"errors"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Result is a finished training.
type Result struct {
	Network  *model.Network
	Model    model.State
	Suspects []isolate.Suspect // all images, most suspicious first; empty without isolation
	Unlearn  *Outcome          // nil if there was no unlearning
	Seconds  map[string]float64
	Isolated int      // epochs of isolation
	Untaught []string // classes of which the training was shown no image
	Engines  []string // that computed, in turn
}

// Train trains a network on set, which is not changed. With IsolateEpochs 0 it is plain training; with TuneEpochs 0 and
// Unlearn "none" it only ranks the images by suspicion, and its network is no use as a classifier.
// When ctx ends, the folder's checkpoint is where Resume goes on.
func Train(ctx context.Context, set *dataset.Set, o Options, s train.Settings) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	r, err := train.Start(set, o.Recipe, s, o)
	if err != nil {
		return nil, err
	}
	res := &Result{Network: r.Network}
	parts := &isolate.Parts{Kept: rng.Iota(set.Len())}
	if o.IsolateEpochs > 0 {
		found, err := isolate.Run(ctx, r, o.Options)
		if err != nil {
			return nil, err
		}
		parts = isolate.Split(found.Scores, o.Isolation, o.HeldBackShare, o.Seed)
		if o.Unlearn == "none" {
			parts = parts.Unwatched()
		}
		for k, i := range parts.Order {
			res.Suspects = append(res.Suspects, isolate.Suspect{Index: i, Score: found.Scores[i], Isolated: k < len(parts.Isolated)})
		}
		res.Isolated = found.Epochs
	}
	if err := r.Tune(ctx, o.Recipe, parts.Kept, nil); err != nil {
		return nil, err
	}
	if len(parts.Isolated) > 0 && o.Unlearn != "none" && o.stepsOf(parts) > 0 {
		if res.Unlearn, err = o.unlearn(ctx, r, parts); err != nil {
			return nil, err
		}
	}
	if o.TuneEpochs > 0 {
		res.Untaught = train.Untaught(set, parts.Kept, nil)
	}
	res.Model, res.Seconds, res.Engines = r.State, r.Seconds, r.Engines
	return res, nil
}

// unlearn is the stage "unlearn".
func (o Options) unlearn(ctx context.Context, r *train.Run, parts *isolate.Parts) (*Outcome, error) {
	var out *Outcome
	err := r.Stage("unlearn", func() (err error) {
		out, err = Unlearn(ctx, r.Backend, r.Network, r.State, r.Data, parts, o, func(p train.Progress) {
			if r.Watch != nil {
				r.Watch(train.Event{Stage: "unlearn", Progress: &p})
			}
		})
		if err != nil {
			return err
		}
		return r.Put("unlearn", out)
	})
	if err != nil || out != nil {
		return out, err
	}
	// The stage was finished by an earlier run.
	if found, err := r.Get("unlearn", &out); err != nil || found {
		return out, err
	}
	return nil, errors.New("the checkpoint does not say what unlearning did: an earlier version wrote it; start over without --resume")
}
