package detect

import (
	"context"
	"slices"
)

// Spectral is spectral signatures: of each label, the images that lie furthest along the first principal direction of its
// features. It takes 1.5 times the rate from every label, planted or not.
type Spectral struct{}

// Name implements Detector.
func (Spectral) Name() string { return "spectral" }

// Paper implements Detector.
func (Spectral) Paper() string {
	return "Tran, Li and Madry, Spectral Signatures in Backdoor Attacks, NeurIPS 2018"
}

// Needs implements Detector.
func (Spectral) Needs() Need { return Rate }

// Detect implements Detector. A score is the squared projection of the centred features (algorithm 1).
func (d Spectral) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, true, false); err != nil {
		return nil, err
	}
	out := newOutput(in.Data.Len())
	take := 1.5 * in.Rate * float64(in.Data.Len())
	for _, images := range byLabel(in.Data) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(images) < 2 {
			continue
		}
		m := rows(in.Features, in.Data.Len(), images)
		centre(m)
		along := principal(m, 1)
		order := slices.Clone(images)
		for k, i := range images {
			out.Scores[i] = along.At(k, 0) * along.At(k, 0)
		}
		slices.SortStableFunc(order, func(a, b int) int { return descending(out.Scores[a], out.Scores[b]) })
		for _, i := range order[:min(int(take+0.5), len(order)/2)] {
			out.Flagged[i] = true
		}
	}
	return out, nil
}

// descending orders the larger first.
func descending(a, b float64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}
