package look

import (
	"context"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

const (
	roundSteps  = 300  // a round takes so many at least: few images would else teach it nothing
	biasedBatch = 64   // images
	most        = 2000 // positives that a round learns from
	unchanged   = 0.999
)

// Rounds trains biased networks on suspects among a label's images, until two flag the same: what one is sure of teaches the
// next. They are told from other labels' images, and from some of their own.
type Rounds struct {
	Most    int    // rounds
	Purpose string // of their random streams; no two looks have the same
	Stage   string // that progress is told of
	Honest  []int  // the label's own, in the first round
	// Own are at most n of them in later ones, by the probabilities p after so many rounds.
	Own     func(p []float32, n, rounds int) []int
	Enough  func(counts Counts) bool // whether to stop after the first round
	Label   int
	Images  []int // of the label
	Suspect []int // of these, in the first round
}

// Trained is what rounds came to.
type Trained struct {
	Counts
	Agreement float64   // of the last two rounds' flagged images: the Jaccard index
	Rounds    int       // that were trained
	P         []float32 // every image's probability of being like the suspects
}

// Rounds trains biased networks.
func (c *Case) Rounds(ctx context.Context, r Rounds) (t Trained, err error) {
	class, suspects := r.Label, r.Suspect
	t.Images, t.Others = len(r.Images), len(c.Order())-len(r.Images)
	negatives := slices.Concat(c.others(r.Purpose, class, 0, 2*len(suspects)), r.Honest)
	var before []float32
	for round := range r.Most {
		if t.P, err = c.teach(ctx, r, class, round, suspects, negatives, nil); err != nil {
			return t, err
		}
		t.Rounds = round + 1
		t.Tally(r.Images, t.P)
		t.Leak = 0
		for _, i := range c.Order() {
			if int(c.Data.Labels[i]) != class && t.P[i] > Flagged {
				t.Leak++
			}
		}
		t.Agreement = stat.Agreement(before, t.P, r.Images)
		if round == 0 && r.Enough(t.Counts) || t.Agreement > unchanged {
			break
		}
		before = t.P
		suspects = c.Draw(r.Purpose+" positives", Those(r.Images, func(i int) bool { return t.P[i] > Sure }), most, class, round)
		if len(suspects) == 0 {
			break
		}
		negatives = slices.Concat(c.others(r.Purpose, class, round+1, 2*len(suspects)), r.Own(t.P, len(suspects), t.Rounds))
	}
	return t, nil
}

// others draws n images of other labels, the most suspicious quarter left out.
func (c *Case) others(purpose string, class, round, n int) []int {
	order := c.Order()
	pool := Those(order[len(order)/4:], func(i int) bool { return int(c.Data.Labels[i]) != class })
	return c.Draw(purpose+" negatives", pool, n, class, round)
}

// pupil is what all biased networks have in common: XLA compiles longer than a round trains.
type pupil struct {
	network *model.Network
	step    *train.Learner
	eval    *evaluate.Evaluator
}

// compile readies the pupil for batches of a size, unless it is.
func (n *pupil) compile(c *Case, batch int) (err error) {
	if n.network == nil {
		if n.network, err = model.New(c.Settings.Biased, 2, c.Data.Height, c.Data.Width); err != nil {
			return err
		}
		if n.eval, err = evaluate.New(c.run.Backend, n.network); err != nil {
			return err
		}
	}
	if n.step == nil || n.step.Batch != batch {
		n.step, err = train.NewClassifier(c.run.Backend, n.network, n.network.Init(0), batch, train.DefaultSGD(), train.Mean)
	}
	return err
}

// Teach trains a small network to tell positives from negatives and returns the probability of each image asked about of being like
// the positives. purpose, label and round name its random streams.
func (c *Case) Teach(ctx context.Context, purpose string, label, round int, positives, negatives, asked []int) ([]float32, error) {
	return c.teach(ctx, Rounds{Purpose: purpose, Stage: purpose}, label, round, positives, negatives, asked)
}

// teach is Teach for a round of some; without a list all images are asked about.
func (c *Case) teach(ctx context.Context, r Rounds, class, round int, positives, negatives, of []int) ([]float32, error) {
	lesson := c.Data.Subset(slices.Concat(positives, negatives))
	lesson.Classes = []string{"other", "suspect"}
	for k := range lesson.Labels {
		lesson.Labels[k] = int32(stat.Bit(k < len(positives)))
	}
	n := &c.pupil
	if err := n.compile(c, min(biasedBatch, lesson.Len())); err != nil {
		return nil, err
	}
	seed := rng.Stream(c.Seed, r.Purpose+" network", class, round).Uint64()
	b := &train.Run{Backend: c.run.Backend, Network: n.network, Data: lesson, Seed: seed, Watch: c.progress(r.Stage)}
	if _, err := b.Start(false); err != nil {
		return nil, err
	}
	least := c.Settings.Steps.Round
	if least == 0 {
		least = roundSteps
	}
	epochs := max(c.Settings.Epochs, least*biasedBatch/lesson.Len())
	phase := &train.Phase{Name: "biased", Data: lesson, Indices: stat.Iota(lesson.Len()), Epochs: epochs, Schedule: train.OneCycle(0.1, 0.2), Seed: seed}
	if err := b.TrainWith(ctx, phase, n.step, nil); err != nil {
		return nil, err
	}
	probability, err := c.alike(ctx, b.State, lesson.Classes, of)
	for i, l := range probability {
		probability[i] = float32(math.Exp(-float64(l)))
	}
	return probability, err
}

// alike returns the losses of the label "suspect", which are the negative logarithms of its probability, for each image that is asked
// about; all without a list.
func (c *Case) alike(ctx context.Context, s model.State, classes []string, of []int) ([]float32, error) {
	n := &c.pupil
	if c.run.Passes != nil && of == nil {
		losses := make([]float32, c.Data.Len())
		err := c.run.Pass(ctx, evaluate.Pass{Network: n.network, State: s}, nil, func(i int, z []float32) {
			losses[i] = float32(evaluate.CrossEntropy(z, 1))
		})
		return losses, err
	}
	if err := n.eval.Load(s); err != nil {
		return nil, err
	}
	asked := *c.Data
	if of != nil {
		asked = *c.Data.Subset(of)
	}
	asked.Classes, asked.Labels = classes, slices.Repeat([]int32{1}, asked.Len())
	return n.eval.Losses(ctx, &asked)
}
