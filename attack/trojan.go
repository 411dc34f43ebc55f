package attack

import (
	"cmp"
	"context"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/model"
)

var trojan = Method{
	Name:   "trojan",
	About:  "A patch or watermark optimised so that neurons of a clean network fire strongly.",
	Paper:  "Liu et al., Trojaning Attack on Neural Networks, NDSS 2018",
	Recipe: 1,
	Settings: func() Settings {
		return &Trojan{PatchSize: 4, Alpha: 0.3, Mask: "square", Steps: 200, Surrogate: ownNetwork()}
	},
}

// Trojan are the settings of trojan.
type Trojan struct {
	PatchSize int     `json:"patch_size,omitempty" range:"[1,1024]"` // pixels at a side of 32; scales with the image
	Alpha     float64 `json:"alpha,omitempty" range:"(0,1]"`         // opacity of the watermark
	Mask      string  `json:"mask,omitempty"`                        // "square" or "watermark"
	Steps     int     `json:"steps,omitempty" range:"[0,1000000]"`   // of the optimisation
	Surrogate
}

// Trigger implements Settings.
func (s *Trojan) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	if s.Mask == "watermark" {
		return &trojanStamp{*watermark(set, s.Alpha), s.Steps}, nil
	}
	side, err := patchSide(s.PatchSize, set)
	if err != nil {
		return nil, err
	}
	return &trojanStamp{*square(set, side), s.Steps}, oneOf("mask", s.Mask, "square", "watermark")
}

// unused implements choosing.
func (s *Trojan) unused(Common) []string {
	if s.Mask == "watermark" {
		return []string{"patch_size"}
	}
	return []string{"alpha"}
}

type trojanStamp struct {
	stamp
	steps int
}

// trojanNeurons is how many neurons are made to fire.
const trojanNeurons = 3

// Learn implements Learner.
func (s *trojanStamp) Learn(ctx context.Context, l *Lab, train *dataset.Set) error {
	n, state, err := l.Clean(ctx, train)
	if err != nil {
		return err
	}
	chosen := neurons(state, l.Target, trojanNeurons)
	return s.optimise(ctx, l, s.steps, train, others(train, l.Target), n, state, func(net *model.Graphed) *Node {
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
