package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// What a network would take an image for if the label that it was trained to give were not there tells wrong labels from
// right ones: images of one class look like the same few others, and not very much; images that were given the label,
// trigger or not, still look like what they are.

// SecondChoices returns each image's probabilities of the labels that are not its own, [images][classes], its own's being
// 0, from a network's logits, [images, classes].
func SecondChoices(logits []float32, labels []int32) [][]float64 {
	classes := len(logits) / len(labels)
	all := make([][]float64, len(labels))
	for i, own := range labels {
		p := make([]float64, classes)
		for c, z := range logits[i*classes : (i+1)*classes] {
			p[c] = float64(z)
		}
		p[own] = math.Inf(-1)
		floats.AddConst(-floats.LogSumExp(p), p)
		for c, l := range p {
			p[c] = math.Exp(l)
		}
		all[i] = p
	}
	return all
}

// FirstChoices returns the class that a network gives each of n images, from its logits, [n, classes].
func FirstChoices(logits []float32, n int) []int {
	classes := len(logits) / n
	all := make([]int, n)
	for i := range all {
		z := logits[i*classes : (i+1)*classes]
		all[i] = slices.Index(z, slices.Max(z))
	}
	return all
}

// Variety is how much the second choice says about an image of some: the mutual information between the two, H(mean p) −
// mean H(p), as a share of the most that there can be. It is 0 where all images have the same second choice, or none in
// particular, and 1 where each surely has one and all labels come equally often.
func Variety(second [][]float64, images []int) float64 {
	if len(images) == 0 || len(second[images[0]]) < 3 {
		return 0
	}
	mean := make([]float64, len(second[images[0]]))
	each := 0.0
	for _, i := range images {
		floats.AddScaled(mean, 1/float64(len(images)), second[i])
		each += stat.Entropy(second[i]) / float64(len(images))
	}
	return max(0, stat.Entropy(mean)-each) / math.Log(float64(len(mean)-1))
}
