// Package detect has published detectors of planted images, each after its paper in a short file. They are for comparison with
// package audit on the same data and the same network, not for use: most need clean images or the poisoning rate, which nobody
// has who asks. A third party's detector is any value that implements Detector.
package detect

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
)

// Need is what a detector must be given beside the data and a network that was trained on them.
type Need int

// What detectors need.
const (
	Clean  Need = 1 << iota // Input.Clean: images that nobody tampered with
	Rate                    // Input.Rate: how much is planted
	Losses                  // Input.Losses: of ABL's isolation
)

// String lists the needs in words; "nothing" if there are none.
func (n Need) String() string {
	text := ""
	for k, word := range []string{"clean images", "the rate", "ABL's losses"} {
		if n&(1<<k) == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += word
	}
	if text == "" {
		return "nothing"
	}
	return text
}

// Detector scores the images of a training set.
type Detector interface {
	Name() string  // the field's, in lower case
	Paper() string // authors, title and venue
	Needs() Need
	// Detect does not change its input. When ctx ends it returns its error within seconds.
	Detect(ctx context.Context, in *Input) (*Output, error)
}

// Input is what a detector is given. Features, Logits and Losses have one row an image of Data.
type Input struct {
	Backend backends.Backend
	Network *model.Network
	State   model.State  // trained on Data as by somebody who suspects nothing
	Data    *dataset.Set // with the labels that the images came with
	// Features [images, width] lie before the network's last layer, Logits [images, classes] behind it; Prepare fills them.
	Features, Logits []float32
	Clean            *dataset.Set // at most a few per cent of Data's size; nil for none
	CleanFeatures    []float32
	CleanLogits      []float32
	Rate             float64   // planted share of Data, 0 to 1, where a detector is told
	Losses           []float32 // each image's score by ABL's isolation; low is suspicious
	Seed             uint64
}

// Output is what a detector says.
type Output struct {
	Scores  []float64 // one an image; larger: more likely planted
	Flagged []bool    // by the detector's own limit
}

// Builtin returns the published detectors, in the order of their papers.
func Builtin() []Detector {
	return []Detector{
		Spectral{},
		ActivationClustering{},
		STRIP{},
		SCAn{},
		Isolation{},
		Beatrix{},
		ScaleUp{},
		ConfusionTraining{},
		ParameterScaling{},
		DropoutShift{},
	}
}

// Prepare computes the features and logits that detectors share.
func (in *Input) Prepare(ctx context.Context) error {
	var err error
	if in.Features, in.Logits, err = evaluate.Features(ctx, in.Backend, in.Network, in.State, in.Data); err != nil || in.Clean == nil {
		return err
	}
	in.CleanFeatures, in.CleanLogits, err = evaluate.Features(ctx, in.Backend, in.Network, in.State, in.Clean)
	return err
}

// Check reports what a detector lacks.
func (in *Input) Check(d Detector) error {
	needs := d.Needs()
	switch {
	case needs&Clean != 0 && (in.Clean == nil || in.Clean.Len() == 0):
		return fmt.Errorf("%s needs clean images", d.Name())
	case needs&Rate != 0 && (in.Rate <= 0 || in.Rate >= 1):
		return fmt.Errorf("%s needs the poisoning rate, between 0 and 1, got %g", d.Name(), in.Rate)
	case needs&Losses != 0 && len(in.Losses) != in.Data.Len():
		return fmt.Errorf("%s needs a loss for each of %d images, got %d", d.Name(), in.Data.Len(), len(in.Losses))
	}
	return nil
}

// newOutput returns an output of n images, none of them suspected.
func newOutput(n int) *Output { return &Output{Scores: make([]float64, n), Flagged: make([]bool, n)} }

// byLabel returns the images of each class, in order.
func byLabel(set *dataset.Set) [][]int {
	of := make([][]int, len(set.Classes))
	for i, l := range set.Labels {
		of[l] = append(of[l], i)
	}
	return of
}

// softmax returns the probabilities that logits stand for.
func softmax(z []float32) []float64 {
	p := make([]float64, len(z))
	top, sum := float64(slices.Max(z)), 0.0
	for c, v := range z {
		p[c] = math.Exp(float64(v) - top)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return p
}

// quantile returns the value below which a share q of some values lies, by linear interpolation; NaN without values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Clone(values)
	slices.Sort(v)
	at := q * float64(len(v)-1)
	k := int(at)
	if k+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[k] + (at-float64(k))*(v[k+1]-v[k])
}

// deviations returns how many robust standard deviations each value lies from the median: |v − median| / (1.4826·MAD).
func deviations(values []float64) []float64 {
	mid := quantile(values, 0.5)
	away := make([]float64, len(values))
	for i, v := range values {
		away[i] = math.Abs(v - mid)
	}
	mad := 1.4826 * quantile(away, 0.5)
	for i := range away {
		away[i] /= max(mad, 1e-12)
	}
	return away
}
