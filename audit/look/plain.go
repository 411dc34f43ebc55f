package look

import (
	"context"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// plainSteps is how many steps a plain training takes at least.
const plainSteps = 1000

// Plain is what a network makes of the images that was trained on those that were free, as by somebody who suspects nothing.
type Plain struct {
	Features []float32   // [images, width], before the last layer
	Logits   []float32   // [images, classes]
	First    []int       // the class that it gives each image
	Second   [][]float64 // stat.SecondChoices
	Learnt   []int       // the images that it was trained on, or on a sample of them
}

// Plain trains that network, once; nil if there is to be none. It is the run's own, so that a training which is stopped goes on.
func (c *Case) Plain(ctx context.Context) (*Plain, error) {
	if c.plain != nil || c.Settings.PlainEpochs == 0 {
		return c.plain, nil
	}
	is := c.free("plain")
	learnt := Those(stat.Iota(c.Data.Len()), func(i int) bool { return is[i] > 0 })
	if err := c.keep(); err != nil {
		return nil, err
	}
	if err := c.run.Train(ctx, c.unsuspecting(learnt), train.Mean, nil); err != nil {
		return nil, err
	}
	p := &Plain{Learnt: learnt}
	var err error
	if p.Features, p.Logits, err = c.features(ctx, c.run.Network, c.run.State); err != nil {
		return nil, err
	}
	p.First, p.Second = stat.FirstChoices(p.Logits, c.Data.Len()), stat.SecondChoices(p.Logits, c.Data.Labels)
	c.plain = p
	return p, nil
}

// features returns what a network has for every image before its last layer, [images, width], and of that, [images, classes].
func (c *Case) features(ctx context.Context, n *model.Network, s model.State) (features, logits []float32, err error) {
	images := c.Data.Len()
	logits = make([]float32, images*n.Classes)
	err = c.run.Pass(ctx, evaluate.Pass{Network: n, State: s, Features: true}, nil, func(i int, both []float32) {
		width := len(both) - n.Classes
		if features == nil {
			features = make([]float32, images*width)
		}
		copy(features[i*width:], both[:width])
		copy(logits[i*n.Classes:], both[width:])
	})
	return features, logits, err
}

// SetPlain gives the case what a network makes of its images, which is then not trained.
func (c *Case) SetPlain(p *Plain) { c.plain = p }

// unsuspecting is a training on some images by somebody who suspects nothing.
func (c *Case) unsuspecting(images []int) *train.Phase {
	least := c.Settings.Steps.Plain
	if least == 0 {
		least = plainSteps
	}
	images = train.Sample(c.Data, images, c.Settings.Learn, c.Seed, "inspect")
	steps := max(1, len(images)/c.run.Batch)
	phase := &train.Phase{
		Name: "inspect", Data: c.Data, Indices: images, Epochs: max(c.Settings.PlainEpochs, (least+steps-1)/steps),
		Schedule: train.OneCycle(c.Settings.Rate, 0.2), Seed: c.Seed,
	}
	if c.Settings.Augment {
		phase.Augment = augment.Standard(min(c.Data.Height, c.Data.Width), c.Settings.Flip)
	}
	return phase
}

// Batch is how many images a step of a plain training takes; fewer can't be learnt from.
func (c *Case) Batch() int { return c.run.Batch }
