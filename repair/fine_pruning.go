package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// prunedFinely is fine-pruning: channels that clean images leave asleep are cut off, then the rest is tuned (Liu et al., RAID 2018).
func prunedFinely(ctx context.Context, j *Job) (*Outcome, error) {
	s := j.State.Clone()
	weight, bias := s.Classifier()
	if weight == nil || bias == nil {
		return nil, errors.New("fine-pruning needs a network whose last layer is linear")
	}
	h, _, err := evaluate.Features(ctx, j.Backend, j.Network, s, j.Clean)
	if err != nil {
		return nil, err
	}
	mask, pruned := prune(ctx, h, weight, bias, j.Clean, j.Options.Tolerance)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if pruned == 0 && j.Options.Epochs == 0 {
		return nil, fmt.Errorf("no channel can be pruned within the tolerance of %g, and there are 0 epochs of tuning: nothing to do", j.Options.Tolerance)
	}
	if err := j.tuning("fine-prune").Tune(ctx, j.Backend, &train.Module{Net: j.Network.Masked(mask), State: s}, j.Watch); err != nil {
		return nil, err
	}
	// Without its weights a channel of the last convolution is gone, in any program.
	classes := weight.Dims[1]
	for c, keep := range mask {
		if keep == 0 {
			clear(weight.Data[c*classes : (c+1)*classes])
		}
	}
	return &Outcome{s, map[string]float64{"pruned": float64(pruned)}}, nil
}

// prune masks the last convolution's channels, those with the lowest mean activation first, as long as
// accuracy falls by no more than the tolerance, or until ctx ends. h is [N, channels].
func prune(ctx context.Context, h []float32, weight, bias *model.Tensor, clean *dataset.Set, tolerance float64) (mask []float32, pruned int) {
	channels, classes := weight.Dims[0], weight.Dims[1]
	mean := make([]float64, channels)
	for i, v := range h {
		mean[i%channels] += float64(v)
	}
	order := rng.Iota(channels)
	mask = slices.Repeat([]float32{1}, channels)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(mean[a], mean[b]) })
	// The logits of every image, from which one channel after the other is taken away.
	n := clean.Len()
	logits := make([]float32, n*classes)
	take := func(c int, sign float32) {
		w := weight.Data[c*classes : (c+1)*classes]
		for i := range n {
			v := sign * h[i*channels+c]
			for k, q := range w {
				logits[i*classes+k] += v * q
			}
		}
	}
	accuracy := func() float64 {
		hits := 0
		for i := range n {
			row := logits[i*classes : (i+1)*classes]
			if int32(evaluate.TopClass(row)) == clean.Labels[i] {
				hits++
			}
		}
		return float64(hits) / float64(n)
	}
	for i := range n {
		copy(logits[i*classes:(i+1)*classes], bias.Data)
	}
	for c := range channels {
		take(c, 1)
	}
	before := accuracy()
	for _, c := range order[:channels-1] {
		take(c, -1)
		if before-accuracy() > tolerance || ctx.Err() != nil {
			break
		}
		mask[c] = 0
		pruned++
	}
	return mask, pruned
}
