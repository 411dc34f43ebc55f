package look

import (
	"context"
	"fmt"
	"math"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
)

// untaught judges suspects again whose labels seemed right and whose pattern is a trigger. A frequent trigger that lies over the
// whole image is seen by the network that should not see it, which then finds its label right. So networks are asked that learnt none
// of the suspects. A pattern that these never saw makes any image hard to tell: the suspects are compared with the label's other
// images that have the pattern laid on them. It returns what the evidence says, and the comparison; where none can be made, or the
// networks know the label less than by guessing, since hardly any of its images are left, a shortcut, and the one that there was.
func (c *Case) untaught(ctx context.Context, e Evidence, p *pattern) (Says, *Right, error) {
	if c.Settings.Features != nil || min(len(p.with), len(p.own)) < ownFewest {
		return Shortcut, e.Right, nil
	}
	suspect := make([]bool, c.Data.Len())
	for _, i := range p.with {
		suspect[i] = true
	}
	r := &Right{}
	for fold := range contentFolds {
		key := fmt.Sprintf("untaught.%s.%d.%d", e.Look, e.Label, fold)
		if c.run.Arrays[key] == nil {
			mean, err := c.untaughtFold(ctx, key, e.Label, fold, suspect, p.stamp.Apply)
			if err != nil {
				return 0, nil, err
			}
			c.run.Arrays[key] = mean
			if err := c.Save(); err != nil {
				return 0, nil, err
			}
		}
		mean := c.run.Arrays[key]
		r.Suspects += float64(mean[0]) / contentFolds
		r.Rest += float64(mean[1]) / contentFolds
	}
	switch {
	case r.Rest < 1/float64(len(c.Data.Classes)):
		return Shortcut, e.Right, nil
	case r.Contradicted():
		return Poisoned, r, nil
	}
	return Shortcut, r, nil
}

// untaughtFold trains on the other folds' images but the suspects. It returns the mean probability of the label for the fold's
// suspects, and for the label's other images in the fold once they are changed.
func (c *Case) untaughtFold(ctx context.Context, key string, label, fold int, suspect []bool, change func(x []float32)) ([]float32, error) {
	var learnt []int
	var of [2][]int // the fold's suspects, and the label's other images
	for f, images := range c.contentFolds() {
		for _, i := range images {
			switch {
			case f != fold && !suspect[i]:
				learnt = append(learnt, i)
			case f == fold && int(c.Data.Labels[i]) == label:
				k := stat.Bit(!suspect[i])
				of[k] = append(of[k], i)
			}
		}
	}
	r, err := c.contentRun(ctx, key, learnt, fold)
	if err != nil {
		return nil, err
	}
	mean := make([]float32, len(of))
	for k, images := range of {
		set := c.Data.View(c.Draw("untaught", images, laidOn, label, k))
		if k == 1 {
			set = evaluate.Redrawn(set, change)
		}
		logs, err := judged(ctx, r, evaluate.Here{Backend: c.run.Backend, Set: set}, stat.Iota(set.Len()))
		if err != nil {
			return nil, err
		}
		for i := range set.Len() {
			mean[k] += float32(math.Exp(float64(logs[i*r.Network.Classes+label]))) / float32(set.Len())
		}
	}
	r.Finish()
	return mean, nil
}
