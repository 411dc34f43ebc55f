package detect

import (
	"context"
	"math"

	"gonum.org/v1/gonum/mat"
)

// ActivationClustering parts each label's features in two by k-means. A label whose parts are clearly apart loses the smaller
// one. Principal components stand in for the paper's independent ones.
type ActivationClustering struct{}

// Name implements Detector.
func (ActivationClustering) Name() string { return "activation-clustering" }

// Paper implements Detector.
func (ActivationClustering) Paper() string {
	return "Chen et al., Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering, SafeAI 2019"
}

// Needs implements Detector.
func (ActivationClustering) Needs() Need { return 0 }

// The paper's settings: ten components; a silhouette from 0.10 to 0.15 on speaks for poison.
const (
	clusterDims       = 10
	clusterSilhouette = 0.10
)

// Detect implements Detector. A score is the label's silhouette times how much nearer the image lies to the smaller part's mean
// than to the larger part's, from −1 to 1.
func (d ActivationClustering) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, true, false); err != nil {
		return nil, err
	}
	out := newOutput(in.Data.Len())
	for _, images := range byLabel(in.Data) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(images) < 4 {
			continue
		}
		m := rows(in.Features, in.Data.Len(), images)
		centre(m)
		p := principal(m, clusterDims)
		small := twoMeans(p, p)
		apart := silhouette(p, small)
		mean, _ := means(p, small)
		for k, i := range images {
			row := p.RawRowView(k)
			a, b := math.Sqrt(distance2(row, mean[0])), math.Sqrt(distance2(row, mean[1]))
			out.Scores[i] = apart * (a - b) / max(a+b, 1e-12)
			out.Flagged[i] = apart >= clusterSilhouette && small[k]
		}
	}
	return out, nil
}

// twoMeans parts rows in two by k-means, from the halves below and above 0 in the first column of along, and marks the smaller
// part.
func twoMeans(m, along *mat.Dense) []bool {
	n, _ := m.Dims()
	side := make([]bool, n)
	for i := range side {
		side[i] = along.At(i, 0) > 0
	}
	for range 300 {
		mean, _ := means(m, side)
		moved := false
		for i := range side {
			row := m.RawRowView(i)
			s := distance2(row, mean[1]) < distance2(row, mean[0])
			moved = moved || s != side[i]
			side[i] = s
		}
		if !moved {
			break
		}
	}
	if _, count := means(m, side); count[1] > count[0] {
		for i := range side {
			side[i] = !side[i]
		}
	}
	return side
}

// silhouetteMost bounds how many rows a silhouette is taken of, evenly spread: it costs their square.
const silhouetteMost = 2000

// silhouette is Rousseeuw's mean of (b−a)/max(a,b), with a and b an image's mean distances to its own part and to the other.
func silhouette(m *mat.Dense, side []bool) float64 {
	n, _ := m.Dims()
	step := max(1, (n+silhouetteMost-1)/silhouetteMost)
	var at []int
	var count [2]int
	index := func(i int) int {
		if side[i] {
			return 1
		}
		return 0
	}
	for i := 0; i < n; i += step {
		at = append(at, i)
		count[index(i)]++
	}
	if count[0] < 2 || count[1] < 2 {
		return 0
	}
	sum := 0.0
	for _, i := range at {
		var total [2]float64
		for _, j := range at {
			total[index(j)] += math.Sqrt(distance2(m.RawRowView(i), m.RawRowView(j)))
		}
		own := index(i)
		a, b := total[own]/float64(count[own]-1), total[1-own]/float64(count[1-own])
		sum += (b - a) / max(a, b, 1e-12)
	}
	return sum / float64(len(at))
}
