package isolate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Options of isolation. Start from Default.
type Options struct {
	IsolateEpochs int     `json:"isolate_epochs" range:"[0,1000000]"` // the turning epoch T_te; 0: no isolation
	IsolateRate   float64 `json:"isolate_rate" range:"(0,)"`          // learning rate meanwhile
	// IsolateMost, unless 0, lets isolation go on up to so many epochs, until the mean loss of one is below
	// γ + 0.25: what is easy has been learnt then, however many or few images there are.
	IsolateMost int     `json:"isolate_most,omitempty" range:"[0,)"`
	Loss        string  `json:"loss"`                                      // of Losses
	Gamma       float64 `json:"gamma" range:"[0,)"`                        // LGA's threshold, flooding's level
	Sign        string  `json:"sign"`                                      // LGA's sign, of Signs: that of each image's loss (the formula) or of the batch's mean (the published code)
	Rank        string  `json:"rank"`                                      // by the "final" network's losses, or their "mean" or "worst" over the epochs; see Scores
	RankEpochs  int     `json:"rank_epochs,omitempty" range:"[0,1000000]"` // so many of the last ones; 0: all, of the worst all but the first
	Isolation   float64 `json:"isolation" range:"[0,0.5)"`                 // isolation rate p: share of images isolated
}

// Losses returns the names of isolation's losses.
func Losses() []string { return []string{"lga", "flooding", "ce"} }

// Signs returns the names of LGA's signs: that of each image's loss, or of the batch's mean.
func Signs() []string { return []string{"sample", "batch"} }

// Default is what docs/researchers.md measures.
func Default() Options {
	return Options{IsolateEpochs: 4, IsolateRate: 0.1, IsolateMost: 30, Loss: "lga", Gamma: 0.5, Sign: "batch", Rank: "worst", Isolation: 0.01}
}

// What isolation needs of a set of any size: so many steps to learn what is easy, and so many isolated images, a batch of
// unlearning.
const leastSteps, leastIsolated = 300, 64

// Fit returns the options for a number of training images in batches of batch: small sets get more epochs and a larger
// isolated share. From 9,600 images in batches of 128 on nothing changes.
func (o Options) Fit(images, batch int) Options {
	if o.IsolateEpochs > 0 {
		o.IsolateEpochs = max(o.IsolateEpochs, train.Epochs(leastSteps, images, batch))
	}
	o.Isolation = max(o.Isolation, min(0.05, leastIsolated/float64(max(1, images))))
	return o
}

// Check reports a setting that is out of its range, or a name that there is not.
func (o Options) Check() error {
	if err := settings.Check(o); err != nil {
		return err
	}
	for _, c := range []struct {
		what, name string
		known      []string
	}{
		{"isolation loss", o.Loss, Losses()},
		{"LGA sign", o.Sign, Signs()},
		{"ranking", o.Rank, Ranks()},
	} {
		if !slices.Contains(c.known, c.name) {
			return fmt.Errorf("no %s %q; there are %s", c.what, c.name, strings.Join(c.known, ", "))
		}
	}
	if o.IsolateEpochs > 0 && o.Isolation == 0 {
		return errors.New("isolation 0, expected more than 0 and less than 0.5")
	}
	return nil
}

func (o Options) loss() train.Loss {
	switch o.Loss {
	case "flooding":
		return train.Flooding(o.Gamma)
	case "ce":
		return train.Mean
	}
	return train.LocalGradientAscent(o.Gamma, o.Sign == "sample")
}

// Ranking is what isolation finds.
type Ranking struct {
	Scores []float32 // of each image; low is suspicious
	Epochs int       // that it took
}

// Run trains r's network with the isolation loss, as the stage "isolate", and ranks the images, as the stage "rank".
func Run(ctx context.Context, r *train.Run, o Options) (*Ranking, error) {
	if err := r.Stage("isolate", func() error { return o.train(ctx, r) }); err != nil {
		return nil, err
	}
	if err := r.Stage("rank", func() error { return o.rank(ctx, r) }); err != nil {
		return nil, err
	}
	out := &Ranking{Scores: r.Arrays["scores"]}
	_, err := r.Get("isolation epochs", &out.Epochs)
	return out, err
}

// train leaves the losses of every epoch in r.Arrays.
func (o Options) train(ctx context.Context, r *train.Run) error {
	p := &train.Phase{Name: "isolate", Data: r.Data, Indices: rng.Iota(r.Data.Len()), Schedule: train.Constant(o.IsolateRate), Seed: r.Seed}
	t := train.NewTrainer(r.Backend, r.Network, min(r.Batch, p.Len()), r.SGD, o.loss())
	keep := func(losses []float32) error {
		r.Arrays[epochName(len(epochs(r)))] = slices.Clone(losses)
		return nil
	}
	for p.Epochs = o.IsolateEpochs; ; p.Epochs++ {
		if done := len(epochs(r)); done < p.Epochs { // an earlier run may have come further
			if err := r.TrainWith(ctx, p, t, keep); err != nil {
				return err
			}
		}
		if p.Epochs >= o.IsolateMost || mean(r.Arrays[epochName(p.Epochs-1)]) < o.Gamma+isolatedBelow {
			return nil
		}
	}
}

// rank turns the epochs' losses into scores.
func (o Options) rank(ctx context.Context, r *train.Run) error {
	final, err := r.ImageLosses(ctx)
	if err != nil {
		return err
	}
	losses := epochs(r)
	if err := r.Put("isolation epochs", len(losses)); err != nil {
		return err
	}
	for k := range losses {
		delete(r.Arrays, epochName(k))
	}
	if more := len(losses) - o.IsolateEpochs; more > 0 {
		losses = losses[more:] // it went on since what is easy was not learnt in the first ones
	}
	last := o.RankEpochs
	if o.Rank == "worst" {
		last++ // of which Scores leaves out the first
	}
	if o.RankEpochs > 0 && len(losses) > last {
		losses = losses[len(losses)-last:]
	}
	r.Arrays["scores"] = Scores(o.Rank, losses, final)
	return nil
}

func epochName(k int) string { return fmt.Sprintf("epoch.%d", k) }

// epochs returns the losses of the epochs that are finished, in order.
func epochs(r *train.Run) [][]float32 {
	var all [][]float32
	for {
		losses, ok := r.Arrays[epochName(len(all))]
		if !ok {
			return all
		}
		all = append(all, losses)
	}
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
	return sum / math.Max(1, float64(n))
}
