// Package detect has published detectors of planted images, each after its paper in a short file. They are for comparison with
// package audit on the same data and the same network, not for use: most need clean images or the poisoning rate, which nobody
// has who asks. A third party's detector is any value that implements Detector.
package detect

import (
	"context"
	"errors"
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
	// Detect does not change its input, and reports one that it can't use. When ctx ends it returns its error within seconds.
	Detect(ctx context.Context, in *Input) (*Output, error)
}

// Revised is a Detector that once said otherwise of the same input. Its revision counts up with every such change of its code or settings, so
// that experiments ask again. One that is not Revised has the revision 0.
type Revised interface {
	Detector
	Revision() int
}

// Revision is a detector's.
func Revision(d Detector) int {
	if r, ok := d.(Revised); ok {
		return r.Revision()
	}
	return 0
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
	Scores  []float64 // one an image; larger: more likely planted; what is no number is least likely
	Flagged []bool    // one an image, by the detector's own limit
}

// Check reports an output that is not of so many images.
func (o *Output) Check(images int) error {
	if o == nil {
		return errors.New("no scores")
	}
	if len(o.Scores) != images || len(o.Flagged) != images {
		return fmt.Errorf("%d scores and %d flags for %d images", len(o.Scores), len(o.Flagged), images)
	}
	return nil
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
	if err := in.Data.Check(); err != nil {
		return err
	}
	if in.Network == nil || in.Backend == nil {
		return errors.New("features need a network, and what computes it")
	}
	var err error
	if in.Features, in.Logits, err = evaluate.Features(ctx, in.Backend, in.Network, in.State, in.Data); err != nil || in.Clean == nil {
		return err
	}
	in.CleanFeatures, in.CleanLogits, err = evaluate.Features(ctx, in.Backend, in.Network, in.State, in.Clean)
	return err
}

// Check reports what a detector lacks of its needs, or what does not fit together.
func (in *Input) Check(d Detector) error {
	needs := d.Needs()
	if err := in.fits(); err != nil {
		return fmt.Errorf("%s: %w", d.Name(), err)
	}
	switch {
	case needs&Clean != 0 && (in.Clean == nil || in.Clean.Len() == 0):
		return fmt.Errorf("%s needs clean images", d.Name())
	case needs&Rate != 0 && !(in.Rate > 0 && in.Rate < 1):
		return fmt.Errorf("%s needs the poisoning rate, between 0 and 1, got %g", d.Name(), in.Rate)
	case needs&Losses != 0 && len(in.Losses) != in.Data.Len():
		return fmt.Errorf("%s needs a loss for each of %d images, got %d", d.Name(), in.Data.Len(), len(in.Losses))
	}
	return nil
}

// fits reports what of the input does not fit the images.
func (in *Input) fits() error {
	if err := in.Data.Check(); err != nil {
		return err
	}
	if n := in.Network; n != nil {
		if err := in.Data.CheckFor("the images", n.Classes, n.Height, n.Width); err != nil {
			return err
		}
	}
	classes := len(in.Data.Classes)
	if in.Clean != nil {
		if err := in.Clean.CheckFor("the clean images", classes, in.Data.Height, in.Data.Width); err != nil {
			return err
		}
	}
	own, err := widths(in.Data, in.Features, in.Logits)
	if err != nil {
		return err
	}
	clean, err := widths(in.Clean, in.CleanFeatures, in.CleanLogits)
	if err != nil {
		return fmt.Errorf("clean images: %w", err)
	}
	if own > 0 && clean > 0 && own != clean {
		return fmt.Errorf("%d features an image, and %d of a clean one", own, clean)
	}
	return nil
}

// widths returns how many features an image of a set has; 0 where there are none.
func widths(set *dataset.Set, features, logits []float32) (int, error) {
	n, classes := 0, 0
	if set != nil {
		n, classes = set.Len(), len(set.Classes)
	}
	if len(logits) > 0 && len(logits) != n*classes || len(features)%max(1, n) != 0 || n == 0 && len(features) > 0 {
		return 0, fmt.Errorf("%d features and %d logits are not those of %d images and %d classes", len(features), len(logits), n, classes)
	}
	for _, all := range [][]float32{features, logits} {
		for _, v := range all {
			if v-v != 0 {
				return 0, fmt.Errorf("a feature or logit is %v: %w", v, evaluate.ErrNotFinite)
			}
		}
	}
	return len(features) / max(1, n), nil
}

// has is Check for a detector that looks at features and logits, or runs the network.
func (in *Input) has(d Detector, features, network bool) error {
	if err := in.Check(d); err != nil {
		return err
	}
	switch n := in.Data.Len(); {
	case network && (in.Network == nil || in.Backend == nil):
		return fmt.Errorf("%s needs the network that was trained on the images, and what computes it", d.Name())
	case n > 0 && features && (len(in.Features) == 0 || network && len(in.Logits) == 0), features && in.Clean != nil && in.Clean.Len() > 0 && d.Needs()&Clean != 0 && len(in.CleanFeatures) == 0:
		return fmt.Errorf("%s needs the images' features and logits, which Prepare computes", d.Name())
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
