package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/train"
)

// Result is a finished search, and training.
type Result struct {
	*abl.Result
	Verdict *Verdict
}

// Train looks for poison and trains a network on the rest. The result's Verdict says what was found; its Suspects
// are all images, removed ones first.
func Train(ctx context.Context, set *dataset.Set, o abl.Options, a Options, s abl.Settings) (*Result, error) {
	return run(ctx, set, o, a, s, Setup{}, true)
}

// Audit looks for poison only.
func Audit(ctx context.Context, set *dataset.Set, o abl.Options, a Options, s abl.Settings) (*Result, error) {
	return run(ctx, set, o, a, s, Setup{}, false)
}

// run takes from the setup what the recipe does not say.
func run(ctx context.Context, set *dataset.Set, o abl.Options, a Options, s abl.Settings, setup Setup, full bool) (*Result, error) {
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
	setup.Isolation, setup.Rate, setup.Augment, setup.Flip, setup.Init = o.Isolation, o.TuneRate, o.Augment, o.Flip, s.Init
	f, err := Search(ctx, r, scores, setup, a)
	if err != nil {
		return nil, err
	}
	if len(f.Kept) == 0 {
		return nil, fmt.Errorf("all images look poisoned: nothing is left to train on")
	}
	res := &Result{Result: &abl.Result{Network: r.Network, Suspects: suspects(scores, f.Probability)}, Verdict: f.Verdict}
	digest, err := a.Digest(isolationOf(o, set.Len()))
	if err != nil {
		return nil, err
	}
	if s.Init == nil && len(setup.More) == 0 {
		f.Measured = measured(digest)
	}
	if full && o.TuneEpochs > 0 {
		if err := tune(ctx, r, o, a, f); err != nil {
			return nil, err
		}
	}
	res.Finish(r)
	return res, nil
}

// isolationOf returns what a verdict depends on of a recipe, as it was before it was fitted to so many images. Flips follow the
// data's layout.
func isolationOf(o abl.Options, images int) any {
	plain := abl.Default()
	fit := plain.Fit(images)
	if o.Batch == fit.Batch && o.IsolateEpochs == fit.IsolateEpochs && o.Isolation == fit.Isolation {
		o.Batch, o.IsolateEpochs, o.Isolation = plain.Batch, plain.IsolateEpochs, plain.Isolation
	}
	return struct {
		Network                  string
		Batch                    int
		Epochs, Most, RankEpochs int
		Rate, Gamma, Isolation   float64
		Loss, Sign, Rank         string
		PlainRate                float64
		Augment                  bool
	}{o.Network, o.Batch, o.IsolateEpochs, o.IsolateMost, o.RankEpochs, o.IsolateRate, o.Gamma, o.Isolation, o.Loss, o.Sign, o.Rank, o.TuneRate, o.Augment}
}

// tune trains on what was kept, and against some of the removed images; the rest says what is left of the backdoor.
func tune(ctx context.Context, r *train.Run, o abl.Options, a Options, f *Found) error {
	against, removed := a.against(f.Removed, len(f.Kept), o.Seed)
	more := counterexamples(against)
	if a.Stamp {
		more = append(more, stamped(r.Data, f.Targets, f.Kept, against, o.Seed)...)
	}
	f.Against, f.Stamped = len(against), len(more)-len(against)
	if err := abl.Tune(ctx, r, o, f.Kept, more); err != nil {
		return err
	}
	if len(removed) == 0 {
		return nil
	}
	e, err := r.Evaluator()
	if err != nil {
		return err
	}
	left, err := e.Accuracy(ctx, r.Data.Subset(removed))
	if err != nil {
		return err
	}
	obeyed := int(math.Round(left.Accuracy * float64(len(removed))))
	f.Remaining, f.HeldBack = &left.Accuracy, len(removed)
	f.RemainingAtMost = stat.AtMost(obeyed, len(removed))
	return nil
}

// suspects orders the images: the removed ones first, by probability, then all by the isolation's score.
func suspects(scores, probability []float32) []abl.Suspect {
	key := make([]float32, len(scores))
	for i, p := range probability {
		key[i] = scores[i]
		if p > look.Flagged {
			key[i] = -p // losses are not negative
		}
	}
	all := make([]abl.Suspect, 0, len(scores))
	for _, i := range evaluate.Order(key) {
		all = append(all, abl.Suspect{Index: i, Score: scores[i], Isolated: probability[i] > look.Flagged, Probability: probability[i]})
	}
	return all
}
