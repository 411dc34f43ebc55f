package attack

import (
	"context"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

var cleanLabel = Method{
	Name:       "cl",
	About:      "Target-class images made hard by PGD, then a patch in all four corners; labels kept.",
	Paper:      "Turner et al., Clean-Label Backdoor Attacks, 2018",
	Fixed:      true,
	CleanLabel: true,
	Recipe:     1,
	Settings: func() Settings {
		return &CL{PatchSize: 3, Epsilon: 16, Steps: 30, Surrogate: ownNetwork()}
	},
}

// CL are the settings of cl.
type CL struct {
	PatchSize int     `json:"patch_size,omitempty" range:"[1,1024]"` // pixels at a side of 32; scales with the image
	Epsilon   float64 `json:"epsilon,omitempty" range:"(0,255]"`     // largest change of a pixel, of 255
	Steps     int     `json:"steps,omitempty" range:"[1,100000]"`    // of projected gradient descent
	Surrogate
}

// Trigger implements Settings.
func (s *CL) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	side, err := patchSide(s.PatchSize, set)
	if err != nil {
		return nil, err
	}
	return &corners{CL: *s, side: side}, nil
}

// corners are patches in all four, beside a perturbation in training images.
type corners struct {
	CL
	side int
	attacker
}

// attacker is the network that an attack perturbs images against.
type attacker struct {
	lab   *Lab
	net   *model.Network
	state model.State
}

// perturbing is a trigger whose training images are perturbed against a network, so that they need not show it.
type perturbing interface {
	network() (*model.Network, model.State)
}

func (a *attacker) network() (*model.Network, model.State) { return a.net, a.state }

// Learned implements part of Learner.
func (a *attacker) Learned() map[string]checkpoint.Array {
	arrays := map[string]checkpoint.Array{}
	stateArrays(arrays, "", a.state)
	return arrays
}

// Restore implements part of Learner. The network may have any number of classes: FC's has one more.
func (a *attacker) Restore(l *Lab, arrays map[string]checkpoint.Array) error {
	classes := 0
	for _, t := range arrays {
		if len(t.Dims) == 2 && len(t.Data) > 0 { // of no numbers it may claim any number of them
			classes = t.Dims[1]
		}
	}
	n, err := model.New(l.Surrogate.Network, classes, l.height, l.width)
	if err != nil {
		return err
	}
	a.lab, a.net = l, n
	a.state, err = stateFrom(arrays, "", n)
	return err
}

// Learn implements Learner.
func (c *corners) Learn(ctx context.Context, l *Lab, set *dataset.Set) error {
	var err error
	c.lab = l
	c.net, c.state, err = l.Clean(ctx, set)
	return err
}

// Apply perturbs training images against the attacker's network, so that the label is hard to learn
// from anything but the patch, and stamps the corners; test images are only stamped.
func (c *corners) Apply(ctx context.Context, b *Batch) error {
	if !b.Test {
		if err := c.perturb(ctx, b); err != nil {
			return err
		}
	}
	for _, i := range b.At {
		img := b.Set.Image(i)
		for _, top := range []int{0, b.Set.Height - c.side} {
			for _, left := range []int{0, b.Set.Width - c.side} {
				checkerboard(img, b.Set.Width, top, left, c.side, c.PatchSize)
			}
		}
	}
	return ctx.Err()
}

func (c *corners) perturb(ctx context.Context, b *Batch) error {
	f, err := c.lab.frozen("perturb", c.net, c.state, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		x := gx.Input(g, "x", perturbBatch, b.Set.Height, b.Set.Width, 3)
		y := Parameter(g, "y", shapes.Make(dtypes.Int32, perturbBatch))
		loss := ReduceAllSum(train.CrossEntropy(net(x).Logits, y))
		return []*Node{Neg(Gradient(loss, x)[0])} // up the loss
	})
	if err != nil {
		return err
	}
	var y []int32
	p := newPerturbation(c.Epsilon, c.Steps)
	p.prepare = func(_ []float32, at []int) error {
		y = labelsOf(b.Set, at)
		return nil
	}
	p.gradient = func(_ int, x, grad []float32) error { return gradientOf(f, len(c.state), x, grad, y) }
	return p.run(ctx, c.lab, b)
}
