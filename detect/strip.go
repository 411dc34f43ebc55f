package detect

import (
	"context"
	"math"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/rng"
)

// STRIP lays clean images over each image: a trigger keeps the network's answer, so that the entropy of its answers is low. Its
// limit is the clean images' first percentile.
type STRIP struct{}

// Name implements Detector.
func (STRIP) Name() string { return "strip" }

// Paper implements Detector.
func (STRIP) Paper() string {
	return "Gao et al., STRIP: A Defence Against Trojan Attacks on Deep Neural Networks, ACSAC 2019"
}

// Needs implements Detector.
func (STRIP) Needs() Need { return Clean }

const (
	stripOverlays = 16 // images laid over each; the paper takes 100
	stripFRR      = 0.01
)

// Detect implements Detector. A score is the negative mean entropy, in nats, of the answers to image + overlay, each at half
// its strength.
func (d STRIP) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, false, true); err != nil {
		return nil, err
	}
	eval, err := evaluate.Of(in.Backend, in.Network, in.State)
	if err != nil {
		return nil, err
	}
	entropies := func(of *dataset.Set) ([]float64, error) {
		set, n := of.Clone(), of.Len()
		defer set.Discard()
		sum := make([]float64, n)
		for round := range stripOverlays {
			r := rng.Stream(in.Seed, "strip", round)
			for i := range n {
				over, plain, joined := in.Clean.Image(r.IntN(in.Clean.Len())), of.Image(i), set.Image(i)
				for j := range over {
					joined[j] = uint8((int(plain[j]) + int(over[j]) + 1) / 2)
				}
			}
			err := eval.Logits(ctx, set, func(i int, z []float32) {
				for _, p := range softmax(z) {
					if p > 0 {
						sum[i] -= p * math.Log(p) / stripOverlays
					}
				}
			})
			if err != nil {
				return nil, err
			}
		}
		return sum, nil
	}
	clean, err := entropies(in.Clean)
	if err != nil {
		return nil, err
	}
	all, err := entropies(in.Data)
	if err != nil {
		return nil, err
	}
	limit := quantile(clean, stripFRR)
	out := newOutput(len(all))
	for i, e := range all {
		out.Scores[i], out.Flagged[i] = -e, e < limit
	}
	return out, nil
}
