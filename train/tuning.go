package train

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// Tuning is a short training, of which nothing is kept until it ends: repairing or unlearning with a
// Learner. Labels may be distributions over the classes.
type Tuning struct {
	Name     string // purpose of its random streams, and what progress calls it
	Data     *dataset.Set
	Indices  []int
	Soft     map[int][]float32 // an image's distribution over the classes in place of its label
	Batch    int
	Epochs   int
	Schedule Schedule
	Augment  augment.Options
	Seed     uint64
	Watch    func(Progress)
}

// Run calls step for every batch: images [Batch,H,W,3], labels [Batch,classes], learning rate. A last
// short batch is left out.
func (t *Tuning) Run(ctx context.Context, step func(x, soft []float32, rate float64) (loss float64, err error)) error {
	if len(t.Indices) < t.Batch {
		return fmt.Errorf("%s: %d images do not make a batch of %d", t.Name, len(t.Indices), t.Batch)
	}
	size, classes := t.Data.ImageBytes(), len(t.Data.Classes)
	x, soft := make([]float32, t.Batch*size), make([]float32, t.Batch*classes)
	steps := len(t.Indices) / t.Batch
	for e := range t.Epochs {
		order := rng.Shuffle(t.Seed, t.Name+" order", len(t.Indices), e)
		for k := range steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			clear(soft)
			for j := range t.Batch {
				i := t.Indices[order[k*t.Batch+j]]
				t.Augment.Apply(x[j*size:(j+1)*size], t.Data.Image(i), t.Data.Height, t.Data.Width, rng.Stream(t.Seed, t.Name+" augment", e, i))
				row := soft[j*classes : (j+1)*classes]
				if s := t.Soft[i]; s != nil {
					copy(row, s)
				} else {
					row[t.Data.Labels[i]] = 1
				}
			}
			rate := t.Schedule(float64(e*steps+k) / float64(t.Epochs*steps))
			loss, err := step(x, soft, rate)
			if err != nil {
				return err
			}
			if math.Abs(loss) > maxLoss {
				return &DivergedError{t.Name, e + 1, loss}
			}
			if t.Watch != nil {
				t.Watch(Progress{Phase: t.Name, Epoch: e + 1, Epochs: t.Epochs, Step: k + 1, Steps: steps, Loss: loss, Rate: rate})
			}
		}
	}
	return nil
}

// SoftCrossEntropy returns each image's cross-entropy against a distribution, both [N,C].
func SoftCrossEntropy(logits, soft *Node) *Node {
	return Neg(ReduceSum(Mul(LogSoftmax(logits), soft), 1))
}

// Tune trains the module's network by cross-entropy and stores what it learnt in its state.
func (t *Tuning) Tune(ctx context.Context, b backends.Backend, m *Module) error {
	l, err := NewLearner(b, "tune "+m.Net.Arch, []*Module{m}, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", t.Batch, m.Net.Height, m.Net.Width, 3)
		soft := gx.Input(g, "soft", t.Batch, m.Net.Classes)
		return ReduceAllMean(SoftCrossEntropy(nets[0](x).Logits, soft)), nil
	})
	if err != nil {
		return err
	}
	if err := t.Run(ctx, func(x, soft []float32, rate float64) (float64, error) { return l.Step([]float64{rate}, x, soft) }); err != nil {
		return err
	}
	return l.Store()
}
