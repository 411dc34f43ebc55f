package look

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// plainSteps is how many steps a plain training takes at least.
const plainSteps = 1000

// Plain is what a network makes of the images that was trained on those that nothing was found in, as by somebody who suspects
// nothing.
type Plain struct {
	Logits []float32 // [images, classes]
	First  []int     // the class that it gives each image

	ask func(ctx context.Context, images *dataset.Set, each func(i int, logits []float32)) error // of other images; none while it trains on
}

// Plain trains that network, once; nil if there is to be none. It is the run's own, so that a training which is stopped goes on.
func (c *Case) Plain(ctx context.Context) (*Plain, error) {
	if c.plain != nil || c.Settings.PlainEpochs == 0 {
		return c.plain, nil
	}
	learnt := c.free()
	if err := c.keep(); err != nil {
		return nil, err
	}
	if err := c.trainPlain(ctx, learnt); err != nil {
		return nil, err
	}
	classes := c.run.Network.Classes
	p := &Plain{Logits: make([]float32, c.Data.Len()*classes), First: make([]int, c.Data.Len())}
	e, err := evaluate.Of(c.run.Backend, c.run.Network, c.run.State)
	if err != nil {
		return nil, err
	}
	shift := c.sampled(learnt, "inspect")
	p.ask = func(ctx context.Context, images *dataset.Set, each func(i int, logits []float32)) error {
		return e.Logits(ctx, images, func(i int, z []float32) {
			z = slices.Clone(z)
			shiftBy(z, shift)
			each(i, z)
		})
	}
	err = c.run.Pass(ctx, evaluate.Pass{Network: c.run.Network, State: c.run.State}, nil, func(i int, z []float32) {
		copy(p.Logits[i*classes:], z)
	})
	if err != nil {
		return nil, err
	}
	shiftBy(p.Logits, shift)
	for i := range p.First {
		p.First[i] = evaluate.TopClass(p.of(i, classes))
	}
	c.plain = p
	return p, nil
}

// plainTries are how often that training begins, each time at half of the learning rate at which it diverged.
const plainTries = 4

// trainPlain trains it, more slowly where it diverges: a verdict is not lost for that.
func (c *Case) trainPlain(ctx context.Context, learnt []int) error {
	for {
		err := c.run.Train(ctx, c.unsuspecting(learnt), train.Mean, nil)
		if d := (*train.DivergedError)(nil); !errors.As(err, &d) || c.saved.Slower == plainTries-1 {
			return err
		}
		c.Note("the ordinary network's training diverged at a learning rate of %g; it begins again at half of that", c.plainRate())
		c.saved.Slower++
		state := c.run.Network.Init(c.run.Seed)
		if c.Settings.Init != nil {
			state = c.Settings.Init.Clone()
		}
		if err := cmp.Or(c.keep(), c.run.Again(state)); err != nil {
			return err
		}
	}
}

func (c *Case) plainRate() float64 { return math.Ldexp(c.Settings.Rate, -c.saved.Slower) }

// Unspoilt is for how many epochs over all images the run's network was trained as the plain one, where images were found and it learnt
// none of them: a training of the clean model may go on from there. 0 where it may not.
func (c *Case) Unspoilt() int {
	learnt, some := c.run.Arrays[freeKey], false
	if c.Settings.PlainEpochs == 0 {
		return 0
	}
	for i, p := range c.Found() {
		if p > Flagged {
			if some = true; learnt == nil || learnt[i] > 0 {
				return 0
			}
		}
	}
	if !some {
		return 0
	}
	p := c.unsuspecting(c.free())
	return p.Epochs * p.Len() / len(learnt)
}

// of returns the logits of an image.
func (p *Plain) of(i, classes int) []float32 { return p.Logits[i*classes : (i+1)*classes] }

// gives is the mean probability, from 0 to 1, that it gives a label to images.
func (p *Plain) gives(images []int, label, classes int) float64 {
	sum := 0.0
	var z []float64
	for _, i := range images {
		z = z[:0]
		for _, v := range p.of(i, classes) {
			z = append(z, float64(v))
		}
		sum += math.Exp(stat.LogSoftmax(z, 1)[label])
	}
	return sum / float64(max(1, len(images)))
}

// free lists the images that nothing was found in when this was first asked.
func (c *Case) free() []int {
	is := c.run.Arrays[freeKey]
	if is == nil {
		is = make([]float32, c.Data.Len())
		for i, p := range c.Found() {
			is[i] = float32(stat.Bit(p <= Flagged))
		}
		c.run.Arrays[freeKey] = is
	}
	return Those(rng.Iota(c.Data.Len()), func(i int) bool { return is[i] > 0 })
}

// freeKey is the name of these images in a run's checkpoint.
const freeKey = "free"

// unsuspecting is a training on some images by somebody who suspects nothing.
func (c *Case) unsuspecting(images []int) *train.Phase {
	least := c.Settings.Steps.Plain
	if least == 0 {
		least = plainSteps
	}
	images = train.Sample(c.Data, images, c.Settings.Learn, c.Seed, "inspect")
	phase := &train.Phase{
		Name: "inspect", Data: c.Data, Indices: images, Epochs: max(c.Settings.PlainEpochs, train.Epochs(least, len(images), c.run.Batch)),
		Schedule: train.OneCycle(c.plainRate(), 0.2), Seed: c.Seed,
	}
	if c.Settings.Augment {
		phase.Augment = augment.Standard(min(c.Data.Height, c.Data.Width), c.Settings.Flip)
	}
	return phase
}
