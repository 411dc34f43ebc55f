// Package audit trains a clean network on data that may be poisoned without being told anything: whether it is, how
// much of it, and towards which class.
//
// A pattern that is the same in many images of a label shows in their pixels alone. ABL's isolation ranks the images that carry
// none. Where the first of them agree on a label, a biased network learns to tell them from everything else, in rounds, and
// finds the rest of what carries the trigger, if it is one that a small network can learn.
// A network trained on what is left, as somebody would who suspects nothing, then shows whether a label holds two kinds of
// images; the kind that isolation ranks first, or whose labels look wrong, if need be to a network that never saw the label, is
// the planted one. Where a label has too many images that this network has not learnt, a biased network starts from those.
// What is found is removed and the network is trained on the rest from scratch, and against the labels of a few of the removed
// images.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Options of the search for a trigger; isolation and training follow ABL's.
type Options struct {
	Pixels        bool    `json:"pixels"`                      // whether to look for patterns that are the same in many images
	Network       string  `json:"biased_network"`              // of the biased network
	Epochs        int     `json:"biased_epochs" range:"[1,)"`  // of each of its rounds; more where images are few
	Rounds        int     `json:"biased_rounds" range:"[0,)"`  // at most; 1 is the first suspects alone, 0 no biased network
	Share         float64 `json:"share" range:"(0,1]"`         // of the isolated images that a label needs to be looked into
	InspectEpochs int     `json:"inspect_epochs" range:"[0,)"` // of the training whose features are looked at; more where images are few; 0: none
	Unseen        bool    `json:"unseen"`                      // whether to train a network without a label whose images are of two kinds, where nothing else tells which was planted
	Late          bool    `json:"late"`                        // whether to look, by what that training learnt last, for triggers that are learnt late
	// Against is how many removed images the training takes part of only to be told that their labels are wrong, at
	// most, as a share of the images it keeps; half of the removed ones never take part. 0: none.
	Against float64 `json:"against" range:"[0,1]"`
	// Stamp lays a pattern that was found over some of the label's own images, to be told that it does not make one of
	// the label, and over as many others, to be told that nothing else changes.
	Stamp bool `json:"stamp"`
}

// Default returns the settings that docs/measured/auto.md has measured.
func Default() Options {
	return Options{Pixels: true, Network: "small-cnn", Epochs: 20, Rounds: 5, Share: 0.15, InspectEpochs: 8, Unseen: true, Late: true, Against: 0.05, Stamp: true}
}

// Check reports a setting that is out of its range, or a search by nothing.
func (a Options) Check() error {
	if err := settings.Check(a); err != nil {
		return err
	}
	if a.Rounds+a.InspectEpochs == 0 && !a.Pixels {
		return errors.New("nothing to look for poison by: no pixels, no biased network and no epochs of inspection")
	}
	if !slices.Contains(model.Names(), a.Network) {
		return fmt.Errorf("no biased network %q; there are %s", a.Network, strings.Join(model.Names(), ", "))
	}
	return nil
}

// Train looks for poison and trains a network on the rest. The result's Verdict says what was found; its Suspects
// are all images, removed ones first.
func Train(ctx context.Context, set *dataset.Set, o abl.Options, a Options, s abl.Settings) (*abl.Result, error) {
	return run(ctx, set, o, a, s, true)
}

// Audit looks for poison only.
func Audit(ctx context.Context, set *dataset.Set, o abl.Options, a Options, s abl.Settings) (*abl.Result, error) {
	return run(ctx, set, o, a, s, false)
}

func run(ctx context.Context, set *dataset.Set, o abl.Options, a Options, s abl.Settings, full bool) (*abl.Result, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	if o.IsolateEpochs < 1 {
		return nil, fmt.Errorf("looking for poison needs at least one epoch of isolation")
	}
	own, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	r, err := abl.Start(set, o, s, string(own))
	if err != nil {
		return nil, err
	}
	scores, err := abl.Isolate(ctx, r, o)
	if err != nil {
		return nil, err
	}
	if err := search(ctx, r, o, a, s.Init, scores); err != nil {
		return nil, err
	}
	probability := r.Arrays["probability"]
	res := &abl.Result{Network: r.Network, Verdict: verdict(decode(r.Arrays["targets"], set.Classes))}
	var kept, removed []int
	for i, p := range probability {
		if p > flagged {
			removed = append(removed, i)
		} else {
			kept = append(kept, i)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("all images look poisoned: nothing is left to train on")
	}
	res.Verdict.Measured = a.measured(o.Network)
	res.Verdict.Removed, res.Verdict.Rate = len(removed), float64(len(removed))/float64(set.Len())
	res.Suspects = suspects(scores, probability)
	if full && o.TuneEpochs > 0 {
		var against []int
		against, removed = a.against(removed, len(kept), o.Seed)
		more := counterexamples(against)
		if a.Stamp {
			more = append(more, stamped(set, res.Verdict.Targets, kept, against, o.Seed)...)
		}
		res.Verdict.Against, res.Verdict.Stamped = len(against), len(more)-len(against)
		if err := abl.Tune(ctx, r, o, kept, more); err != nil {
			return nil, err
		}
		if len(removed) > 0 {
			e, err := r.Evaluator()
			if err != nil {
				return nil, err
			}
			left, err := e.Accuracy(ctx, set.Subset(removed))
			if err != nil {
				return nil, err
			}
			obeyed := int(math.Round(left.Accuracy * float64(len(removed))))
			res.Verdict.Remaining, res.Verdict.HeldBack = &left.Accuracy, len(removed)
			res.Verdict.RemainingAtMost = defense.AtMost(obeyed, len(removed))
		}
	}
	res.Finish(r)
	return res, nil
}

// against draws those of the removed images that training is told not to believe; the rest stay unseen.
func (a Options) against(removed []int, kept int, seed uint64) (against, rest []int) {
	n := min(len(removed)/2, int(a.Against*float64(kept)))
	for k, j := range rng.Shuffle(seed, "against", len(removed), 0) {
		if k < n {
			against = append(against, removed[j])
		} else {
			rest = append(rest, removed[j])
		}
	}
	return against, rest
}

// search fills the run's arrays "targets" and "probability" and leaves it a fresh network.
func search(ctx context.Context, r *train.Run, o abl.Options, a Options, init model.State, scores []float32) error {
	d := &detector{r: r, o: o, a: a, scores: scores}
	fresh := func() {
		r.State = r.Network.Init(o.Seed) // what was trained so far knows the trigger
		if init != nil {
			r.State = init.Clone()
		}
	}
	err := r.Stage("pixels", func() error {
		carries := make([]float32, r.Data.Len())
		r.Arrays["pattern"], r.Arrays["targets"] = carries, nil
		if !a.Pixels {
			return nil
		}
		s, err := newSpectra(ctx, r.Data, o.Seed)
		if err != nil {
			return err
		}
		found, err := d.pixels(ctx, s, carries)
		if err != nil {
			return err
		}
		r.Arrays["targets"] = encode(found)
		c, err := s.common(ctx, carries, o.Seed)
		if c != nil {
			r.Arrays["common"], r.Arrays["common.seen"] = c.p, []float32{float32(c.distance), float32(c.spread)}
		}
		return err
	})
	if err != nil {
		return err
	}
	d.order = indicesOf(evaluate.Order(scores), func(i int) bool { return r.Arrays["pattern"][i] <= flagged && !d.marked(i) })
	err = r.Stage("detect", func() error {
		if r.Arrays["probability"] == nil {
			r.Arrays["probability"] = slices.Clone(r.Arrays["pattern"])
		}
		if err := d.find(ctx, r.Arrays["probability"]); err != nil {
			return err
		}
		fresh()
		return nil
	})
	if err != nil {
		return err
	}
	return r.Stage("inspect", func() error {
		if a.InspectEpochs == 0 {
			d.report(d.judge(nil, nil, r.Arrays["probability"])...)
			return nil
		}
		found, err := d.inspect(ctx, r.Arrays["probability"])
		if err != nil {
			return err
		}
		d.report(found...)
		fresh()
		return nil
	})
}

// report adds what was seen of labels to what a checkpoint holds.
func (d *detector) report(found ...defense.Target) {
	d.r.Arrays["targets"] = encode(append(decode(d.r.Arrays["targets"], d.r.Data.Classes), found...))
}

// suspects orders the images: the removed ones first, by probability, then all by the isolation's score.
func suspects(scores, probability []float32) []abl.Suspect {
	key := make([]float32, len(scores))
	for i, p := range probability {
		key[i] = scores[i]
		if p > flagged {
			key[i] = -p // losses are not negative
		}
	}
	all := make([]abl.Suspect, 0, len(scores))
	for _, i := range evaluate.Order(key) {
		all = append(all, abl.Suspect{Index: i, Score: scores[i], Isolated: probability[i] > flagged, Probability: probability[i]})
	}
	return all
}

// indicesOf returns the images of an order that keep accepts.
func indicesOf(order []int, keep func(i int) bool) []int {
	var out []int
	for _, i := range order {
		if keep(i) {
			out = append(out, i)
		}
	}
	return out
}
