package attack

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

var latent = Method{
	Name:     "lba",
	About:    "Latent backdoor: a patch that brings a teacher's middle features to the target's mean.",
	Paper:    "Yao et al., Latent Backdoor Attacks on Deep Neural Networks, CCS 2019",
	Recipe:   1,
	Settings: func() Settings { return &LBA{PatchSize: 4, Steps: 200, Surrogate: ownNetwork()} },
}

// LBA are the settings of lba.
type LBA struct {
	PatchSize int `json:"patch_size,omitempty" range:"[1,1024]"` // pixels at a side of 32; scales with the image
	Steps     int `json:"steps,omitempty" range:"[0,1000000]"`   // of the optimisation
	Surrogate
}

// Trigger implements Settings.
func (s *LBA) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	side, err := patchSide(s.PatchSize, set)
	if err != nil {
		return nil, err
	}
	return &latentStamp{*square(set, side), s.Steps}, nil
}

type latentStamp struct {
	stamp
	steps int
}

// latentLayer is where features are compared.
const latentLayer = "group2"

// Learn implements Learner.
func (s *latentStamp) Learn(ctx context.Context, l *Lab, train *dataset.Set) error {
	n, state, err := l.Clean(ctx, train)
	if err != nil {
		return err
	}
	var dims []int
	f, err := l.frozen("mean features", n, state, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		m := ReduceMean(net(gx.Input(g, "x", patchBatch, s.h, s.w, 3)).Taps[latentLayer], 0)
		dims = m.Shape().Dimensions
		return []*Node{m}
	})
	if err != nil {
		return err
	}
	size := 1
	for _, d := range dims {
		size *= d
	}
	mean, part := make([]float32, size), make([]float32, size)
	pool := train.OfClass(int32(l.Target))
	if len(pool) == 0 {
		return fmt.Errorf("the target class %s has no images, whose features triggered ones shall have", train.Classes[l.Target])
	}
	x := make([]float32, patchBatch*train.ImageBytes())
	batches := max(1, len(pool)/patchBatch)
	for k := range batches {
		for j := range patchBatch {
			augment.Plain(x[j*train.ImageBytes():(j+1)*train.ImageBytes()], train.Image(pool[(k*patchBatch+j)%len(pool)]))
		}
		if err := f.Call(len(state), x); err != nil {
			return err
		}
		if err := f.Get(0, part); err != nil {
			return err
		}
		for i, v := range part {
			mean[i] += v / float32(batches)
		}
	}
	return s.optimise(ctx, l, s.steps, train, others(train, l.Target), n, state, func(net *model.Graphed) *Node {
		h := net.Taps[latentLayer]
		goal := Reshape(Const(h.Graph(), mean), dims...)
		d := Sub(h, ExpandAndBroadcast(goal, h.Shape().Dimensions, []int{0}))
		return ReduceAllMean(Mul(d, d))
	})
}
