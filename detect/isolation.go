package detect

import (
	"context"

	"github.com/unpoison/unpoison/evaluate"
)

// Isolation is ABL's: images that are learnt first. By its own limit it takes 1 % of the images, planted or not.
type Isolation struct{}

// Name implements Detector.
func (Isolation) Name() string { return "isolation" }

// Paper implements Detector.
func (Isolation) Paper() string {
	return "Li et al., Anti-Backdoor Learning: Training Clean Models on Poisoned Data, NeurIPS 2021"
}

// Needs implements Detector.
func (Isolation) Needs() Need { return Losses }

// isolationRate is the paper's p.
const isolationRate = 0.01

// Detect implements Detector. A score is the negative loss.
func (d Isolation) Detect(_ context.Context, in *Input) (*Output, error) {
	if err := in.Check(d); err != nil {
		return nil, err
	}
	out := newOutput(in.Data.Len())
	for i, l := range in.Losses {
		out.Scores[i] = -float64(l)
	}
	for _, i := range evaluate.Order(in.Losses)[:int(isolationRate*float64(len(in.Losses))+0.5)] {
		out.Flagged[i] = true
	}
	return out, nil
}
