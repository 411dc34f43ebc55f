package look

import (
	"context"
	"slices"

	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/train"
)

// Held are the features of images by the networks of Content, each by the one that did not learn it. Networks have features of their
// own: only those of a fold compare.
type Held struct {
	Rows  [][]float32 // of each image, what the network has before its last layer; nil where it was not asked
	Folds [][]int     // the images by the network that was asked

	whole bool
}

// Whole tells whether all images were asked about.
func (h *Held) Whole() bool { return h.whole }

// ContentHeld asks the networks of Content, after that. Of many images it asks about a sample, and all of a label, −1: none. Nil where
// there are no networks.
func (c *Case) ContentHeld(ctx context.Context, label int) (*Held, error) {
	if !c.hasNetworks() {
		return nil, nil
	}
	missing := c.unasked(halvesAsked, label)
	h := &Held{Rows: make([][]float32, c.Data.Len()), whole: missing == nil}
	for fold, images := range c.contentFolds() {
		images = Those(images, func(i int) bool { return missing == nil || !missing[i] })
		h.Folds = append(h.Folds, images)
		r, err := c.network(ctx, fold)
		if err != nil {
			return nil, err
		}
		by, err := c.passes(ctx, r)
		if err != nil {
			return nil, err
		}
		pass := evaluate.Pass{Network: r.Network, State: r.State, Side: ContentSide, Blurs: contentBlurs()[:1], Features: true}
		if err := by.Pass(ctx, pass, images, func(i int, row []float32) { h.Rows[i] = slices.Clone(row) }); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// passes makes those of a content network over the case's images, which are made small once for all; other machines have their own.
func (c *Case) passes(ctx context.Context, r *train.Run) (evaluate.Passes, error) {
	if c.run.Passes != nil {
		return c.run.Passes, nil
	}
	set, err := c.contentImages(ctx)
	return evaluate.Here{Backend: r.Backend, Set: set}, err
}
