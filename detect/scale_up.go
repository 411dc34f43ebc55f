package detect

import (
	"context"

	"github.com/unpoison/unpoison/evaluate"
)

// ScaleUp multiplies an image's values: a trigger keeps the network's answer where an honest image loses it. This is the
// data-free variant, with the label in place of the network's answer, since the images come from the training set.
type ScaleUp struct{}

// Name implements Detector.
func (ScaleUp) Name() string { return "scale-up" }

// Paper implements Detector.
func (ScaleUp) Paper() string {
	return "Guo et al., SCALE-UP: An Efficient Black-box Input-level Backdoor Detection via Analyzing Scaled Prediction Consistency, ICLR 2023"
}

// Needs implements Detector.
func (ScaleUp) Needs() Need { return 0 }

// The authors' code (BackdoorBox, core/defenses/SCALE_UP.py) has these scales, and flags an image from a consistency of T = 0.5 on: three
// of the five.
var scales = []int{3, 5, 7, 9, 11}

const scaleLimit = 0.5

// Detect implements Detector. A score is the share of the scaled images, values cut at 255, that get the label.
func (d ScaleUp) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, false, true); err != nil {
		return nil, err
	}
	eval, err := evaluate.Of(in.Backend, in.Network, in.State)
	if err != nil {
		return nil, err
	}
	out := newOutput(in.Data.Len())
	set := in.Data.Clone()
	defer set.Discard()
	for _, scale := range scales {
		for i := range set.Len() {
			scaled := set.Image(i)
			for j, v := range in.Data.Image(i) {
				scaled[j] = uint8(min(255, int(v)*scale))
			}
		}
		err := eval.Logits(ctx, set, func(i int, z []float32) {
			if evaluate.TopClass(z) == int(in.Data.Labels[i]) {
				out.Scores[i] += 1 / float64(len(scales))
			}
		})
		if err != nil {
			return nil, err
		}
	}
	for i, s := range out.Scores {
		out.Flagged[i] = s >= scaleLimit
	}
	return out, nil
}
