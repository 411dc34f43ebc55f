package detect

import (
	"context"
	"math"

	"gonum.org/v1/gonum/mat"
)

// SCAn is the statistical contamination analyser: the variation of features within a class is learnt from clean images, and of
// each label it is asked whether two means explain its images better than one, beside what is usual among labels.
type SCAn struct{}

// Name implements Detector.
func (SCAn) Name() string { return "scan" }

// Paper implements Detector.
func (SCAn) Paper() string {
	return "Tang et al., Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor Contamination Detection, USENIX Security 2021"
}

// Needs implements Detector.
func (SCAn) Needs() Need { return Clean }

// scanLimit is e², the paper's limit of the anomaly index J*.
var scanLimit = math.Exp(2)

// Detect implements Detector. With two means the statistic of a label is J = n₁n₂/n·‖μ₁−μ₂‖² in the metric of the variation,
// standardised as (J−k)/√(2k) for k directions (section 4.3); a score is its robust deviation among the labels times how much
// nearer the image lies to the suspected part's mean.
func (d SCAn) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, true, false); err != nil {
		return nil, err
	}
	out := newOutput(in.Data.Len())
	cleanMean, w := variation(in)
	_, k := w.Dims()
	of := byLabel(in.Data)
	margins := make([][]float64, len(of))
	var statistics []float64 // of the labels with images enough, in their order
	for c, images := range of {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(images) < 4 {
			continue
		}
		var x mat.Dense
		x.Mul(rows(in.Features, in.Data.Len(), images), w)
		side := untangle(&x)
		mean, n := means(&x, side)
		j := float64(n[0]) * float64(n[1]) / float64(len(images)) * distance2(mean[0], mean[1])
		statistics = append(statistics, (j-float64(k))/math.Sqrt(2*float64(k)))
		suspect := 1 // the smaller part, or the one that lies further from the clean images
		if cleanMean[c] != nil && distance2(mean[0], cleanMean[c]) > distance2(mean[1], cleanMean[c]) {
			suspect = 0
		}
		for r := range images {
			a, b := distance2(x.RawRowView(r), mean[1-suspect]), distance2(x.RawRowView(r), mean[suspect])
			margins[c] = append(margins[c], (a-b)/max(a+b, 1e-12))
		}
	}
	indices, mid, at := deviations(statistics), quantile(statistics, 0.5), 0
	for c, images := range of {
		if margins[c] == nil {
			continue
		}
		for r, i := range images {
			out.Scores[i] = indices[at] * margins[c][r]
			out.Flagged[i] = indices[at] > scanLimit && statistics[at] > mid && margins[c][r] > 0
		}
		at++
	}
	return out, nil
}

// variation returns the clean images' mean of each class, nil where there are none, and the map under which their variation
// within classes is one in every direction, [width, directions].
func variation(in *Input) ([][]float64, *mat.Dense) {
	n := in.Clean.Len()
	width := len(in.CleanFeatures) / n
	cov := mat.NewSymDense(width, nil)
	mean := make([][]float64, len(in.Data.Classes))
	freedom := 0
	for c, images := range byLabel(in.Clean) {
		if len(images) == 0 || c >= len(mean) {
			continue
		}
		m := rows(in.CleanFeatures, n, images)
		mean[c] = centre(m)
		var s mat.SymDense
		s.SymOuterK(1, m.T())
		cov.AddSym(cov, &s)
		freedom += len(images) - 1
	}
	var e mat.EigenSym
	e.Factorize(cov, true)
	values := e.Values(nil)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	first := max(0, width-max(1, freedom/2)) // few images tell little of many directions
	for first < width-1 && values[first] <= 1e-6*values[width-1] {
		first++
	}
	w := mat.NewDense(width, width-first, nil)
	for j := first; j < width; j++ {
		scale := math.Sqrt(float64(max(1, freedom)) / max(values[j], 1e-12))
		for i := range width {
			w.Set(i, j-first, vectors.At(i, j)*scale)
		}
	}
	for c := range mean {
		if mean[c] != nil {
			var at mat.Dense
			at.Mul(mat.NewDense(1, width, mean[c]), w)
			mean[c] = at.RawRowView(0)
		}
	}
	return mean, w
}

// untangle parts rows in two by the means that explain them best, from the halves along the first principal direction, and
// marks the smaller part.
func untangle(x *mat.Dense) []bool {
	m := mat.DenseCopyOf(x)
	centre(m)
	return twoMeans(m, principal(m, 1))
}
