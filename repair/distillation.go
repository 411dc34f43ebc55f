package repair

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// distilled is neural attention distillation: a fine-tuned teacher shows where to look (Li et al., ICLR 2021).
func distilled(ctx context.Context, j *Job) (*Outcome, error) {
	groups := slices.DeleteFunc(slices.Clone(attentionGroups), func(name string) bool { return !slices.Contains(j.Network.Taps(), name) })
	if len(groups) == 0 {
		return nil, fmt.Errorf("nad compares where networks look, and %s has no tap called %s: it would only fine-tune", j.Network.Arch, strings.Join(attentionGroups, ", "))
	}
	teacher, err := j.fineTuned(ctx)
	if err != nil {
		return nil, err
	}
	student := j.State.Clone()
	modules := []*train.Module{{Net: j.Network, State: student}, {Net: j.Network, State: teacher, Frozen: true}}
	l, err := train.NewLearner(j.Backend, "distil", modules, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", j.Options.Batch, j.Network.Height, j.Network.Width, 3)
		soft := gx.Input(g, "soft", j.Options.Batch, j.Network.Classes)
		s, t := nets[0](x), nets[1](x)
		loss := ReduceAllMean(train.SoftCrossEntropy(s.Logits, soft))
		for _, group := range groups {
			d := Sub(attention(s.Taps[group]), StopGradient(attention(t.Taps[group])))
			loss = Add(loss, MulScalar(ReduceAllMean(Mul(d, d)), j.Options.Beta))
		}
		return loss, nil
	})
	if err != nil {
		return nil, err
	}
	if err := j.tuning("distil").Run(ctx, func(b *train.Batch, rate float64) (float64, error) {
		return l.Step([]float64{rate, 0}, b.X, b.Soft())
	}, nil, train.Hooks{Step: j.Watch}); err != nil {
		return nil, err
	}
	return &Outcome{State: student}, l.Store()
}

// attentionGroups are where attention is compared: the ends of the residual groups.
var attentionGroups = []string{"group1", "group2", "group3", "group4"}

// attention is Σ over channels of |F|², flattened over the pixels and scaled to length 1: [N, H·W].
func attention(f *Node) *Node {
	d := f.Shape().Dimensions
	a := Reshape(ReduceSum(Mul(f, f), 3), d[0], d[1]*d[2])
	length := Sqrt(AddScalar(ReduceSum(Mul(a, a), 1), 1e-12))
	return Div(a, ExpandAndBroadcast(length, []int{d[0], d[1] * d[2]}, []int{1}))
}
