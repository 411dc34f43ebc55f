package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/model"
)

var trojan = Method{
	Name:  "trojan",
	About: "A patch or watermark optimised so that neurons of a clean network fire strongly.",
	Paper: "Liu et al., Trojaning Attack on Neural Networks, NDSS 2018",
	Defaults: func(c *Config) {
		c.PatchSize, c.Mask, c.Alpha, c.Steps = 4, "square", 0.3, 200
		ownNetwork(c)
	},
	New: func(c Config, set *dataset.Set) (Trigger, error) {
		switch c.Mask {
		case "square":
			side, err := patchSide(c, set)
			if err != nil {
				return nil, err
			}
			return &trojanStamp{*square(set, side)}, nil
		case "watermark":
			if err := c.checkAlpha(); err != nil {
				return nil, err
			}
			return &trojanStamp{*watermark(set, c.Alpha)}, nil
		}
		return nil, fmt.Errorf("mask %q; there are square and watermark", c.Mask)
	},
}

type trojanStamp struct{ stamp }

// trojanNeurons is how many neurons are made to fire.
const trojanNeurons = 3

// Learn implements Learner.
func (s *trojanStamp) Learn(ctx context.Context, l *Lab, train *dataset.Set) error {
	n, state, err := l.Clean(ctx, train)
	if err != nil {
		return err
	}
	chosen := neurons(state, l.Config.Target, trojanNeurons)
	return s.optimise(ctx, l, train, others(train, l.Config.Target), n, state, func(net *model.Graphed) *Node {
		features := net.Taps["features"]
		pick := make([]float32, features.Shape().Dimensions[1])
		for _, j := range chosen {
			pick[j] = -1
		}
		// The mean activation of the chosen neurons, to be raised.
		weights := ExpandAndBroadcast(Const(features.Graph(), pick), features.Shape().Dimensions, []int{0})
		return MulScalar(ReduceAllSum(Mul(features, weights)), 1/float64(patchBatch))
	})
}

// neurons chooses those of the penultimate layer that the classifier listens to most, by the sum of
// their weights' sizes, among those that do not speak for the target: the backdoor shall come from
// the poison, not from a patch that looks like the target.
func neurons(state model.State, target, count int) []int {
	var w *model.Tensor
	for _, t := range state {
		if len(t.Dims) == 2 {
			w = t // the classifier is the last
		}
	}
	type neuron struct {
		j     int
		score float64
	}
	var all []neuron
	classes := w.Dims[1]
	for j := range w.Dims[0] {
		row := w.Data[j*classes : (j+1)*classes]
		sum := 0.0
		for _, v := range row {
			sum += math.Abs(float64(v))
		}
		if row[target] > 0 {
			sum -= 1e6
		}
		all = append(all, neuron{j, sum})
	}
	slices.SortStableFunc(all, func(a, b neuron) int { return cmp.Compare(b.score, a.score) })
	var chosen []int
	for _, n := range all[:min(count, len(all))] {
		chosen = append(chosen, n.j)
	}
	return chosen
}
