package detect

import (
	"context"
	"fmt"
	"strings"

	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
)

// ParameterScaling is IBD-PSC: the weights and offsets of a network's last batch norms are multiplied; a trigger keeps the
// network sure of the label where it loses honest images.
type ParameterScaling struct{}

// Name implements Detector.
func (ParameterScaling) Name() string { return "ibd-psc" }

// Paper implements Detector.
func (ParameterScaling) Paper() string {
	return "Hou et al., IBD-PSC: Input-level Backdoor Detection via Parameter-oriented Scaling Consistency, ICML 2024"
}

// Needs implements Detector.
func (ParameterScaling) Needs() Need { return Clean }

// The paper's settings.
const (
	pscScale   = 1.5
	pscModels  = 5
	pscError   = 0.6 // of clean images from which on a network counts as scaled enough
	pscTrusted = 0.9 // mean probability of the label above which an image is flagged
)

// Detect implements Detector. A score is the mean probability of the label over five networks: with the last k to k+4 batch
// norms scaled, k the fewest at which the clean images' error passes 60 % (algorithm 1).
func (d ParameterScaling) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, false, true); err != nil {
		return nil, err
	}
	eval, err := evaluate.New(in.Backend, in.Network)
	if err != nil {
		return nil, err
	}
	norms := batchNorms(in.State)
	if len(norms) == 0 {
		return nil, fmt.Errorf("ibd-psc scales batch norms, and %s has none", in.Network.Arch)
	}
	first := len(norms)
	for k := 1; k <= len(norms); k++ {
		if err := eval.Load(scaled(in.State, norms[len(norms)-k:])); err != nil {
			return nil, err
		}
		a, err := eval.Measure(ctx, in.Clean)
		if err != nil {
			return nil, err
		}
		if 1-a.Accuracy > pscError {
			first = k
			break
		}
	}
	out := newOutput(in.Data.Len())
	n := min(pscModels, len(norms)-first+1)
	for k := first; k < first+n; k++ {
		if err := eval.Load(scaled(in.State, norms[len(norms)-k:])); err != nil {
			return nil, err
		}
		err := eval.Logits(ctx, in.Data, func(i int, z []float32) { out.Scores[i] += softmax(z)[in.Data.Labels[i]] / float64(n) })
		if err != nil {
			return nil, err
		}
	}
	for i, s := range out.Scores {
		out.Flagged[i] = s > pscTrusted
	}
	return out, nil
}

// batchNorms returns the prefixes of the batch norms' tensors, in the network's order.
func batchNorms(s model.State) []string {
	var all []string
	for _, t := range s {
		if name, ok := strings.CutSuffix(t.Name, ".running_mean"); ok {
			all = append(all, name)
		}
	}
	return all
}

// scaled returns a copy of the state with some batch norms' weights and offsets multiplied.
func scaled(s model.State, norms []string) model.State {
	out := s.Clone()
	for _, t := range out {
		for _, n := range norms {
			if t.Name == n+".weight" || t.Name == n+".bias" {
				for j := range t.Data {
					t.Data[j] *= pscScale
				}
			}
		}
	}
	return out
}
