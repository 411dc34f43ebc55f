package evaluate

import (
	"cmp"
	"math"
	"slices"

	"github.com/unpoison/unpoison/rng"
)

// TopClass returns the index of the largest number: the class that logits speak for.
func TopClass(z []float32) int {
	best := 0
	for i, v := range z {
		if v > z[best] {
			best = i
		}
	}
	return best
}

// CrossEntropy is −log softmax(z)[label].
func CrossEntropy(z []float32, label int) float64 {
	top := float64(z[TopClass(z)])
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	return math.Log(sum) + top - float64(z[label])
}

// Ranking says how well an order of images puts the poisoned ones first.
type Ranking struct {
	Precision        float64 // poisoned share of the isolated
	Recall           float64 // isolated share of the poisoned
	AUROC            float64 // over all images; 0.5 where all are poisoned
	AveragePrecision float64
}

// RankQuality scores an order of all images (indices, most suspicious first) of which the first isolated images
// were isolated. Without a poisoned image it returns nil.
func RankQuality(order []int, isolated int, poisoned []bool) *Ranking {
	total := 0
	for _, p := range poisoned {
		if p {
			total++
		}
	}
	if total == 0 || len(order) == 0 {
		return nil
	}
	r := &Ranking{AUROC: 0.5}
	isolated = min(isolated, len(order))
	found, above := 0, 0 // above: pairs in which a poisoned image ranks before a clean one
	for k, i := range order {
		if poisoned[i] {
			found++
			r.AveragePrecision += float64(found) / float64(k+1)
		} else {
			above += found
		}
		if k+1 == isolated {
			r.Precision = float64(found) / float64(isolated)
			r.Recall = float64(found) / float64(total)
		}
	}
	r.AveragePrecision /= float64(total)
	if clean := len(order) - total; clean > 0 {
		r.AUROC = float64(above) / (float64(total) * float64(clean))
	}
	return r
}

// Order returns the indices of scores, lowest first, and before them those that are no number; equal scores keep their order.
func Order(scores []float32) []int {
	order := rng.Iota(len(scores))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	return order
}
