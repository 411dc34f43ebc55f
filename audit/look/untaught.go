package look

import (
	"context"
	"fmt"
	"math"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
)

// untaught judges suspects again whose labels seemed right, or hard to tell, and whose pattern is a trigger. A frequent trigger that
// lies over the whole image is seen by the network that should not see it, which then finds its label right. So networks are asked that
// learnt none of the suspects. A pattern that these never saw makes any image hard to tell: the suspects are compared with the label's
// other images that have the pattern laid on them; as they are, where features are one's own. It returns what the evidence says, and the
// comparison: a shortcut and none, where none can be made, or the networks know the label less than by guessing, since hardly any of its
// images are left; then they are poisoned if their labels seemed wrong.
func (c *Case) untaught(ctx context.Context, e Evidence, p *pattern) (Says, *Right, error) {
	if len(p.with) < StampFewest || len(p.own) < ownFewest {
		return unchecked(e, len(c.Data.Classes))
	}
	suspect := make([]bool, c.Data.Len())
	for _, i := range p.with {
		suspect[i] = true
	}
	r, keep := &Right{}, c.run.Arrays[withoutKey(p.label)] == nil // what the networks say, for Correct
	var err error
	if c.Settings.Features != nil {
		err = c.untaughtFeatures(ctx, p, suspect, r)
	} else {
		err = c.untaughtFolds(ctx, e, p, suspect, keep, r)
	}
	switch {
	case err != nil:
		return 0, nil, err
	case r.Rest < 1/float64(len(c.Data.Classes)):
		return unchecked(e, len(c.Data.Classes))
	case r.Contradicted():
		return Poisoned, r, nil
	}
	if keep { // Correct asks of wrong labels alone
		for fold := range contentFolds {
			delete(c.run.Arrays, foldKey(withoutKey(p.label), fold))
		}
		delete(c.run.Arrays, withoutKey(p.label))
	}
	return Shortcut, r, nil
}

// unchecked is what evidence says where no comparison can be made: what the first one said, if networks know the label better than by
// guessing, since the pattern moves other images.
func unchecked(e Evidence, classes int) (Says, *Right, error) {
	if e.Right.Contradicted() && e.Right.Rest >= 1/float64(classes) {
		return Poisoned, e.Right, nil
	}
	return Shortcut, nil, nil
}

// untaughtFeatures compares them by a classifier that learnt none of them.
func (c *Case) untaughtFeatures(ctx context.Context, p *pattern, suspect []bool, r *Right) error {
	content, err := c.ContentWithout(ctx, p.label, suspect)
	if err != nil {
		return err
	}
	mean := func(images []int) (m float64) {
		images = Those(images, content.Knows)
		for _, i := range images {
			m += content.P.At(i, p.label) / float64(len(images))
		}
		return m
	}
	r.Suspects, r.Rest = mean(p.with), mean(p.own)
	return nil
}

// untaughtFolds compares them by networks, and keeps what these say of all images, if it is to.
func (c *Case) untaughtFolds(ctx context.Context, e Evidence, p *pattern, suspect []bool, keep bool, r *Right) error {
	var sums, images [2]float64
	for fold := range contentFolds {
		key := fmt.Sprintf("untaught.%s.%d.%d", e.Look, e.Label, fold)
		if len(c.run.Arrays[key]) != 2*len(sums) {
			of, err := c.untaughtFold(ctx, key, p, fold, suspect, keep)
			if err != nil {
				return err
			}
			c.run.Arrays[key] = of
			if err := c.Save(); err != nil {
				return err
			}
		}
		of := c.run.Arrays[key]
		for k := range sums {
			sums[k] += float64(of[k])
			images[k] += float64(of[len(sums)+k])
		}
	}
	r.Suspects, r.Rest = sums[0]/max(1, images[0]), sums[1]/max(1, images[1])
	if keep {
		c.leave(p.label, suspect)
	}
	return nil
}

// untaughtFold trains on the other folds' images but the suspects. It returns the sum of the probabilities of the label for the fold's
// suspects, and for the label's other images in the fold once the pattern is laid on them, and how many either are. What the network
// says of all images of the fold it keeps as that of ContentWithout's, if it is to.
func (c *Case) untaughtFold(ctx context.Context, key string, p *pattern, fold int, suspect []bool, keep bool) ([]float32, error) {
	folds := c.contentFolds()
	var learnt []int
	var of [2][]int // the fold's suspects, and the label's other images
	for f, images := range folds {
		for _, i := range images {
			switch {
			case f != fold && !suspect[i]:
				learnt = append(learnt, i)
			case f == fold && int(c.Data.Labels[i]) == p.label:
				k := stat.Bit(!suspect[i])
				of[k] = append(of[k], i)
			}
		}
	}
	r, err := c.contentRun(ctx, key, learnt, fold)
	if err != nil {
		return nil, err
	}
	sums := make([]float32, 2*len(of))
	for k, images := range of {
		set := c.Data.View(c.Draw("untaught", images, laidOn, p.label, k))
		if k == 1 {
			set = evaluate.Redrawn(set, p.stamp.Apply)
		}
		logs, err := judged(ctx, r, evaluate.Here{Backend: c.run.Backend, Set: set}, stat.Iota(set.Len()))
		if err != nil {
			return nil, err
		}
		for i := range set.Len() {
			sums[k] += float32(math.Exp(float64(logs[i*r.Network.Classes+p.label])))
		}
		sums[len(of)+k] = float32(set.Len())
	}
	if keep {
		got, err := c.judgedAll(ctx, r, folds[fold])
		if err != nil {
			return nil, err
		}
		shiftBy(got, c.sampled(learnt, "content"))
		c.run.Arrays[foldKey(withoutKey(p.label), fold)] = got
	}
	r.Finish()
	return sums, nil
}
