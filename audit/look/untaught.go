package look

import (
	"context"
	"fmt"
	"math"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/rng"
)

// untaught judges suspects again whose labels seemed right, or hard to tell, and whose pattern is a trigger. A frequent trigger that
// lies over the whole image is seen by the network that should not see it, which then finds its label right. So networks are asked that
// learnt none of the suspects. A pattern that these never saw makes any image hard to tell: the suspects are compared with the label's
// other images that have the pattern laid on them; as they are, where features are one's own. It returns what the evidence says, and the
// comparison: a shortcut and none, where none can be made, or the networks know the label less than by guessing, since hardly any of its
// images are left, and can't place the suspects either; then they are poisoned if their labels seemed wrong.
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
	var of groups
	if c.Settings.Features != nil {
		err = c.untaughtFeatures(ctx, p, suspect, r)
	} else if of, err = c.untaughtFolds(ctx, e, p, suspect, keep); err == nil {
		r.Suspects, r.Rest = of.mean(0), of.mean(1)
	}
	switch {
	case err != nil:
		return 0, nil, err
	case !r.Known(len(c.Data.Classes)) && !of.placed():
		return unchecked(e, len(c.Data.Classes))
	case r.Contradicted():
		return Poisoned, r, nil
	}
	return Shortcut, r, nil
}

// unchecked is what evidence says where no comparison can be made: what the first one said, if networks know the label better than by
// guessing, since the pattern moves other images.
func unchecked(e Evidence, classes int) (Says, *Right, error) {
	if e.Right.Contradicted() && e.Right.Known(classes) {
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

// groups are the logarithms of the probability of a label by networks that never saw a pattern: of the suspects, of the label's other
// images once the pattern is laid on them, and of images of other labels likewise.
type groups [3][]float32

// mean is the mean probability of a group, from 0 to 1; 0 of none.
func (g groups) mean(k int) (m float64) {
	for _, v := range g[k] {
		m += math.Exp(float64(v)) / float64(len(g[k]))
	}
	return m
}

const (
	tellsOwn = 4.0 // deviations by which the label's images are told from others under the pattern, at least
	nearOwn  = 0.7 // of the way from the others to them, where suspects with right labels lie at least
)

// placed tells whether the suspects lie where the label's images do under the pattern, rather than where others do, though the networks
// know the label little: by the probability that an image's lies above one of another label.
func (g groups) placed() bool {
	above := func(k int) (float64, float64) {
		var all []stat.Ranked
		for _, v := range g[k] {
			all = append(all, stat.Ranked{At: float64(v), Marked: true, Weight: 1})
		}
		for _, v := range g[2] {
			all = append(all, stat.Ranked{At: float64(v), Weight: 1})
		}
		return stat.Above(all)
	}
	own, deviations := above(1)
	suspects, _ := above(0)
	return deviations >= tellsOwn && suspects-0.5 >= nearOwn*(own-0.5)
}

// untaughtKey begins the names, in a run's checkpoint, of what a fold's network says of the groups.
func untaughtKey(e Evidence, fold int) string {
	return fmt.Sprintf("untaught.%s.%d.%d", e.Look, e.Label, fold)
}

// settled drops what these said of evidence that is settled.
func (c *Case) settled(e Evidence) {
	for fold := range contentFolds {
		for k := range len(groups{}) {
			delete(c.run.Arrays, foldKey(untaughtKey(e, fold), k))
		}
	}
}

// untaughtFolds asks networks of the groups, and keeps what these say of all images, if it is to.
func (c *Case) untaughtFolds(ctx context.Context, e Evidence, p *pattern, suspect []bool, keep bool) (of groups, err error) {
	for fold := range contentFolds {
		key := untaughtKey(e, fold)
		if c.run.Arrays[foldKey(key, 0)] == nil {
			got, err := c.untaughtFold(ctx, key, p, fold, suspect, keep)
			if err != nil {
				return of, err
			}
			for k, logs := range got {
				c.run.Arrays[foldKey(key, k)] = logs
			}
			if err := c.Save(); err != nil {
				return of, err
			}
		}
		for k := range of {
			of[k] = append(of[k], c.run.Arrays[foldKey(key, k)]...)
		}
	}
	if keep {
		c.leave(p.label, suspect)
	}
	return of, nil
}

// untaughtFold trains on the other folds' images but the suspects, and asks the network of the fold's groups. What the network says of
// all images of the fold it keeps as that of ContentWithout's, if it is to.
func (c *Case) untaughtFold(ctx context.Context, key string, p *pattern, fold int, suspect []bool, keep bool) (got groups, err error) {
	folds := c.contentFolds()
	var learnt []int
	var of [len(got)][]int // the fold's images
	for f, images := range folds {
		for _, i := range images {
			switch {
			case f != fold && !suspect[i]:
				learnt = append(learnt, i)
			case f == fold && int(c.Data.Labels[i]) == p.label:
				k := stat.Bit(!suspect[i])
				of[k] = append(of[k], i)
			case f == fold:
				of[2] = append(of[2], i)
			}
		}
	}
	r, err := c.contentRun(ctx, key, learnt, fold)
	if err != nil {
		return got, err
	}
	shift := c.sampled(learnt, "content")
	for k, images := range of {
		set := c.Data.View(c.Draw("untaught", images, laidOn, p.label, k))
		if k > 0 {
			set = evaluate.Redrawn(set, p.stamp.Apply)
		}
		logs, err := judged(ctx, r, evaluate.Here{Backend: c.run.Backend, Set: set}, rng.Iota(set.Len()), 0)
		if err != nil {
			return got, err
		}
		got[k] = make([]float32, set.Len())
		for i := range got[k] {
			got[k][i] = shiftedOf(logs[i*r.Network.Classes:(i+1)*r.Network.Classes], shift, p.label)
		}
	}
	if keep {
		all, err := c.judgedAll(ctx, r, folds[fold], 0)
		if err != nil {
			return got, err
		}
		shiftBy(all, shift)
		c.run.Arrays[foldKey(withoutKey(p.label), fold)] = all
	}
	r.Finish()
	return got, nil
}
