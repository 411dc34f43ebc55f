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

// How a small network is taught.
const (
	pupilNetwork = "small-cnn"
	pupilEpochs  = 20
	pupilSteps   = 300 // at least: few images would else teach it nothing
	pupilMost    = 600 // steps, of more images
	pupilBatch   = 64  // images, at most
)

// pupil is what all small networks of a case have in common: XLA compiles longer than one trains.
type pupil struct {
	network *model.Network
	step    *train.Trainer
	eval    *evaluate.Evaluator
}

// compile readies the pupil for batches of a size, unless it is.
func (n *pupil) compile(c *Case, batch int) (err error) {
	if n.network == nil {
		if n.network, err = model.New(pupilNetwork, 2, c.Data.Height, c.Data.Width); err != nil {
			return err
		}
		if n.eval, err = evaluate.New(c.run.Backend, n.network); err != nil {
			return err
		}
	}
	if n.step == nil || n.step.Batch != batch {
		n.step = train.NewTrainer(c.run.Backend, n.network, batch, train.DefaultSGD(), train.Mean)
	}
	return nil
}

// Teach trains a small network to tell positives from negatives, each of which counts as much as weight says, nil: 1, and returns the
// probability of each image asked about of being like the positives. purpose, label and round name its random streams.
func (c *Case) Teach(ctx context.Context, purpose string, label, round int, positives, negatives []int, weight func(i int) float32, asked []int) ([]float32, error) {
	taught := slices.Concat(positives, negatives)
	lesson := c.Data.View(taught)
	lesson.Classes = []string{"other", "suspect"}
	for k := range lesson.Labels {
		lesson.Labels[k] = int32(stat.Bit(k < len(positives)))
	}
	n := &c.pupil
	if err := n.compile(c, min(pupilBatch, lesson.Len())); err != nil {
		return nil, err
	}
	seed := rng.Stream(c.Seed, purpose+" network", label, round).Uint64()
	b := &train.Run{Backend: c.run.Backend, Network: n.network, Data: lesson, Seed: seed, Watch: c.progress(purpose)}
	if _, err := b.Start(false); err != nil {
		return nil, err
	}
	least := c.Settings.Steps.Round
	if least == 0 {
		least = pupilSteps
	}
	epochs := max(1, min(pupilEpochs, pupilMost*pupilBatch/lesson.Len()), least*pupilBatch/lesson.Len())
	phase := &train.Phase{Name: purpose, Data: lesson, Indices: rng.Iota(lesson.Len()), Epochs: epochs, Schedule: train.OneCycle(0.1, 0.2), Seed: seed}
	if weight != nil {
		for _, i := range taught {
			phase.Weights = append(phase.Weights, weight(i))
		}
	}
	if err := b.TrainWith(ctx, phase, n.step, nil); err != nil {
		return nil, err
	}
	probability, err := c.alike(ctx, b.State, lesson.Classes, asked)
	for i, l := range probability {
		probability[i] = float32(math.Exp(-float64(l)))
	}
	return probability, err
}

// alike returns the losses of the label "suspect", which are the negative logarithms of its probability, for each image asked about.
func (c *Case) alike(ctx context.Context, s model.State, classes []string, of []int) ([]float32, error) {
	n := &c.pupil
	if err := n.eval.Load(s); err != nil {
		return nil, err
	}
	asked := c.Data.View(of)
	asked.Classes, asked.Labels = classes, slices.Repeat([]int32{1}, asked.Len())
	return n.eval.Losses(ctx, asked)
}
