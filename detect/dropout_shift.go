package detect

import (
	"context"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/dataset"
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
	dropShifted = 0.8  // of the clean images change their class at a rate that is taken, if there is one
	dropQuarter = 0.25 // the limit is the clean images' lower quartile
)

// dropRates are tried.
var dropRates = []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}

// dropShift is what leaving channels out does to the images of a set.
type dropShift struct {
	moved int       // answers of another class than the whole network gives
	share float64   // of all answers
	falls []float64 // of the probability of that class, the mean
}

// Detect implements Detector. A score is the negative mean fall of the probability of the class that the whole network gives.
func (d DropoutShift) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, true, true); err != nil {
		return nil, err
	}
	eval, err := evaluate.New(in.Backend, in.Network)
	if err != nil {
		return nil, err
	}
	clean, all := make([]dropShift, len(dropRates)), make([]dropShift, len(dropRates))
	for k, rate := range dropRates {
		for pass := range dropPasses {
			if err := eval.Load(dropped(in.State, rate, in.Seed, pass)); err != nil {
				return nil, err
			}
			if err := clean[k].add(ctx, eval, in.Clean, in.CleanLogits); err != nil {
				return nil, err
			}
			if err := all[k].add(ctx, eval, in.Data, in.Logits); err != nil {
				return nil, err
			}
		}
	}
	k := bestRate(clean, all)
	limit := quantile(clean[k].falls, dropQuarter)
	out := newOutput(in.Data.Len())
	for i, s := range all[k].falls {
		out.Scores[i], out.Flagged[i] = -s, s < limit
	}
	return out, nil
}

// add counts a pass over a set, to which the whole network gives the logits.
func (s *dropShift) add(ctx context.Context, eval *evaluate.Evaluator, set *dataset.Set, whole []float32) error {
	if s.falls == nil {
		s.falls = make([]float64, set.Len())
	}
	err := eval.Logits(ctx, set, func(i int, z []float32) {
		w := whole[i*len(z) : (i+1)*len(z)]
		c := evaluate.TopClass(w)
		s.falls[i] += (softmax(w)[c] - softmax(z)[c]) / dropPasses
		if evaluate.TopClass(z) != c {
			s.moved++
		}
	})
	s.share = float64(s.moved) / float64(dropPasses*set.Len())
	return err
}

// bestRate returns the place of the rate at which clean images change their class most beyond all images, as the authors' code chooses
// it: among the rates at which enough clean images do, or among all where there is none.
func bestRate(clean, all []dropShift) int {
	enough := func(s dropShift) bool { return s.share >= dropShifted }
	some, best := slices.ContainsFunc(clean, enough), -1
	for k := range clean {
		if some && !enough(clean[k]) {
			continue
		}
		if best < 0 || clean[k].share-all[k].share > clean[best].share-all[best].share {
			best = k
		}
	}
	return best
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
