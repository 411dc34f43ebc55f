package look

import (
	"context"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// networkKey begins the names, in a run's checkpoint, of the networks of Content, which a fold's number ends. Nobody needs them once the
// look at content is done.
const networkKey = "content network."

// keepNetwork keeps a fold's network.
func (c *Case) keepNetwork(fold int, s model.State) {
	var all []float32
	for _, t := range s {
		all = append(all, t.Data...)
	}
	c.run.Arrays[fmt.Sprint(networkKey, fold)] = all
}

// network is a fold's network, in a run of its own.
func (c *Case) network(ctx context.Context, fold int) (*train.Run, error) {
	_, n, err := c.contentModel(ctx)
	if err != nil {
		return nil, err
	}
	r := &train.Run{Backend: c.run.Backend, Network: n, State: n.Init(0)}
	all := c.run.Arrays[fmt.Sprint(networkKey, fold)]
	for _, t := range r.State {
		if len(all) < len(t.Data) {
			return nil, fmt.Errorf("the network of fold %d is not whole in the checkpoint", fold)
		}
		copy(t.Data, all)
		all = all[len(t.Data):]
	}
	return r, nil
}

// hasNetworks tells whether there are any: not where features are one's own.
func (c *Case) hasNetworks() bool { return c.run.Arrays[fmt.Sprint(networkKey, 0)] != nil }

// halvesAsked is how many images are asked about by their halves or parts, drawn by chance: they are to say where to look.
const halvesAsked = 50_000

// ContentHalf is what the networks of Content, after that, make of one half of each image. Of many images it knows a sample, and all of a
// label, −1: none. Nil where there are no networks.
func (c *Case) ContentHalf(ctx context.Context, half evaluate.Half, label int) (*Content, error) {
	if !c.hasNetworks() {
		return nil, nil
	}
	classes, folds := len(c.Data.Classes), c.contentFolds()
	logs, missing := slices.Repeat([][]float32{make([]float32, classes)}, c.Data.Len()), c.unasked(halvesAsked, label)
	for fold, held := range folds {
		held = Those(held, func(i int) bool { return missing == nil || !missing[i] })
		r, err := c.network(ctx, fold)
		if err != nil {
			return nil, err
		}
		got, err := c.judgedAll(ctx, r, held, half)
		if err != nil {
			return nil, err
		}
		shiftBy(got, c.sampled(slices.Concat(slices.Delete(slices.Clone(folds), fold, fold+1)...), "content"))
		for k, i := range held {
			logs[i] = got[k*classes : (k+1)*classes]
		}
	}
	return c.calibrated(logs, nil, missing), nil
}

// unasked tells which images are not asked about where so many are at most, and all of a label; nil: none.
func (c *Case) unasked(most, label int) []bool {
	if c.Data.Len() <= most {
		return nil
	}
	missing := slices.Repeat([]bool{true}, c.Data.Len())
	for _, i := range c.Draw("content halves", rng.Iota(c.Data.Len()), most) {
		missing[i] = false
	}
	for i, y := range c.Data.Labels {
		missing[i] = missing[i] && int(y) != label
	}
	return missing
}
