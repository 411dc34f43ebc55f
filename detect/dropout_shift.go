package detect

import (
	"context"
	"strings"

	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// DropoutShift is PSBD: with channels left out at random, honest images' probability of their class falls, planted ones' hardly.
// Channels are left out of all convolutions but the first, the same ones for all images of a pass, since our networks have no
// dropout of their own.
type DropoutShift struct{}

// Name implements Detector.
func (DropoutShift) Name() string { return "psbd" }

// Paper implements Detector.
func (DropoutShift) Paper() string {
	return "Li et al., PSBD: Prediction Shift Uncertainty Unlocks Backdoor Detection, CVPR 2025"
}

// Needs implements Detector.
func (DropoutShift) Needs() Need { return Clean }

const (
	dropPasses  = 3
	dropShifted = 0.8  // of the clean images change their class at the rate that is taken, or as many as do at most
	dropQuarter = 0.25 // the limit is the clean images' lower quartile
)

// dropRates are tried from the lowest.
var dropRates = []float64{0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5}

// Detect implements Detector. A score is the negative mean fall of the probability of the class that the whole network gives.
func (DropoutShift) Detect(ctx context.Context, in *Input) (*Output, error) {
	eval, err := evaluate.New(in.Backend, in.Network)
	if err != nil {
		return nil, err
	}
	classes := len(in.Data.Classes)
	rate, most := dropRates[0], -1.0
	for _, r := range dropRates {
		if err := eval.Load(dropped(in.State, r, in.Seed, 0)); err != nil {
			return nil, err
		}
		moved := 0.0
		err := eval.Logits(ctx, in.Clean, func(i int, z []float32) {
			if evaluate.TopClass(z) != evaluate.TopClass(in.CleanLogits[i*classes:(i+1)*classes]) {
				moved += 1 / float64(in.Clean.Len())
			}
		})
		if err != nil {
			return nil, err
		}
		if moved > most {
			rate, most = r, moved
		}
		if moved >= dropShifted {
			break
		}
	}
	clean, all := make([]float64, in.Clean.Len()), make([]float64, in.Data.Len())
	for pass := range dropPasses {
		if err := eval.Load(dropped(in.State, rate, in.Seed, pass)); err != nil {
			return nil, err
		}
		fall := func(sum []float64, whole []float32) func(i int, z []float32) {
			return func(i int, z []float32) {
				w := whole[i*classes : (i+1)*classes]
				c := evaluate.TopClass(w)
				sum[i] += (softmax(w)[c] - softmax(z)[c]) / dropPasses
			}
		}
		if err := eval.Logits(ctx, in.Clean, fall(clean, in.CleanLogits)); err != nil {
			return nil, err
		}
		if err := eval.Logits(ctx, in.Data, fall(all, in.Logits)); err != nil {
			return nil, err
		}
	}
	limit := quantile(clean, dropQuarter)
	out := newOutput(len(all))
	for i, s := range all {
		out.Scores[i], out.Flagged[i] = -s, s < limit
	}
	return out, nil
}

// dropped returns a copy of the state without a share of each convolution's outputs but the first's; the others are scaled up
// to make up for them.
func dropped(s model.State, rate float64, seed uint64, pass int) model.State {
	out := s.Clone()
	first := true
	for k, t := range out {
		if len(t.Dims) != 4 || !strings.HasSuffix(t.Name, ".weight") {
			continue
		}
		if first {
			first = false
			continue
		}
		r := rng.Stream(seed, "dropout", pass, k)
		channels := t.Dims[3] // [height, width, in, out]
		keep := make([]float32, channels)
		for c := range keep {
			if r.Float64() >= rate {
				keep[c] = float32(1 / (1 - rate))
			}
		}
		for j := range t.Data {
			t.Data[j] *= keep[j%channels]
		}
	}
	return out
}
