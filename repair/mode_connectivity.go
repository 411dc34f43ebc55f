package repair

import (
	"context"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// connected is mode connectivity repair: the best network on a path of low loss to a fine-tuned copy (Zhao et al., ICLR 2020).
func connected(ctx context.Context, j *Job) (*Outcome, error) {
	end, err := j.fineTuned(ctx)
	if err != nil {
		return nil, err
	}
	// The middle starts half-way.
	middle := bezier(j.State, end, nil, 0.5)
	if err := j.trainPath(ctx, end, middle); err != nil {
		return nil, err
	}
	return j.choose(ctx, end, middle)
}

// pathPoints are the positions among which the clean data chooses.
var pathPoints = []float64{0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}

// bezier is the quadratic curve (1−t)²·a + 2t(1−t)·m + t²·b (Garipov et al. 2018); without m the
// straight line.
func bezier(a, b, m model.State, t float64) model.State {
	s := a.Clone()
	for i := range s {
		for k := range s[i].Data {
			p, q := float64(a[i].Data[k]), float64(b[i].Data[k])
			v := (1-t)*p + t*q
			if m != nil {
				v = (1-t)*(1-t)*p + 2*t*(1-t)*float64(m[i].Data[k]) + t*t*q
			}
			s[i].Data[k] = float32(v)
		}
	}
	return s
}

// trainPath trains the middle point on the clean data over random positions.
func (j *Job) trainPath(ctx context.Context, end, middle model.State) error {
	var t *Node
	path := &train.Module{Net: j.Network, State: middle, Weight: func(g *Graph, name string, w *Node) *Node {
		a := j.State.Get(name)
		if a.Kind == model.Buffer {
			return w
		}
		at := func(v *model.Tensor) *Node { return Reshape(Const(g, v.Data), v.Dims...) }
		s := OneMinus(t)
		return Add(Add(Mul(Mul(s, s), at(a)), Mul(MulScalar(Mul(t, s), 2), w)), Mul(Mul(t, t), at(end.Get(name))))
	}}
	l, err := train.NewLearner(j.Backend, "path", []*train.Module{path}, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", j.Options.Batch, j.Network.Height, j.Network.Width, 3)
		soft := gx.Input(g, "soft", j.Options.Batch, j.Network.Classes)
		t = gx.Input(g, "t")
		return ReduceAllMean(train.SoftCrossEntropy(nets[0](x).Logits, soft)), nil
	})
	if err != nil {
		return err
	}
	r := rng.Stream(j.Options.Seed, "mcr path")
	err = j.tuning("path").Run(ctx, func(b *train.Batch, rate float64) (float64, error) {
		return l.Step([]float64{rate}, b.X, b.Soft(), []float32{r.Float32()})
	}, nil, train.Hooks{Step: j.Watch})
	if err != nil {
		return err
	}
	return l.Store()
}

// choose returns the network on the path with the lowest loss on the clean data, with batch-norm
// statistics of its own.
func (j *Job) choose(ctx context.Context, end, middle model.State) (*Outcome, error) {
	eval, err := evaluate.New(j.Backend, j.Network)
	if err != nil {
		return nil, err
	}
	out, best := &Outcome{}, math.Inf(1)
	for _, t := range pathPoints {
		s := bezier(j.State, end, middle, t)
		if err := j.statistics(ctx, s); err != nil {
			return nil, err
		}
		if err := eval.Load(s); err != nil {
			return nil, err
		}
		r, err := eval.Accuracy(ctx, j.Clean)
		if err != nil {
			return nil, err
		}
		if r.Loss < best {
			best, out.State, out.Chose = r.Loss, s, map[string]float64{"t": t, "clean_accuracy": r.Accuracy}
		}
	}
	if out.State == nil {
		return nil, fmt.Errorf("all networks on the path: %w", evaluate.ErrNotFinite)
	}
	return out, nil
}

// statisticsSteps leave a thousandth of what batch norm's running statistics were before: a step keeps 0.9 of them.
const statisticsSteps = 66

// statistics computes batch norm's running statistics again over the clean data: a tuning at rate 0.
func (j *Job) statistics(ctx context.Context, s model.State) error {
	t := j.tuning("statistics")
	t.Epochs, t.Schedule = max(2, train.Epochs(statisticsSteps, t.Len(), t.Batch)), train.Constant(0)
	return t.Tune(ctx, j.Backend, &train.Module{Net: j.Network, State: s}, nil)
}
