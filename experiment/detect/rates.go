package detect

import (
	"cmp"
	"math"
	"slices"
)

// Truth says what an image is.
type Truth uint8

// Covered images show the trigger, or a part of it, under their own labels. They count neither as planted nor as clean.
const (
	Clean Truth = iota
	Planted
	Covered
)

// falseRates are the false-positive rates at which true-positive rates are told.
var falseRates = []float64{0.001, 0.005, 0.05}

// rocRates are those of a curve, six to a power of ten.
var rocRates = func() []float64 {
	var all []float64
	for k := -24; k <= 0; k++ {
		all = append(all, math.Pow(10, float64(k)/6))
	}
	return all
}()

// Rates says how well scores and a limit tell planted images from clean ones. All are shares from 0 to 1; those that need
// images which there are not are nil.
type Rates struct {
	AUROC   *float64   `json:"auroc"`
	TPRAt   []*float64 `json:"tpr_at"`        // at falseRates: the highest of a limit on the scores that keeps below
	ROC     []float64  `json:"roc,omitempty"` // likewise at rocRates
	TPR     *float64   `json:"tpr"`           // at the own limit
	FPR     *float64   `json:"fpr"`           // likewise, of the clean images
	Cover   *float64   `json:"cover"`         // likewise, of the covered ones
	Flagged int        `json:"flagged"`       // images, at the own limit
}

// measure compares scores, larger for what is more likely planted, and flags with the truth. Equal scores are no ranking: a
// pair of them counts half in the AUROC, and no limit parts them. Scores that are no number rank last.
func measure(scores []float32, flagged []bool, truth []Truth) Rates {
	r := Rates{TPRAt: make([]*float64, len(falseRates))}
	var total, marked [3]int
	order := make([]int, 0, len(scores))
	for i, t := range truth {
		total[t]++
		if flagged[i] {
			marked[t]++
			r.Flagged++
		}
		if t != Covered {
			order = append(order, i)
		}
	}
	share := func(n, of int) *float64 {
		if of == 0 {
			return nil
		}
		v := float64(n) / float64(of)
		return &v
	}
	r.TPR, r.FPR, r.Cover = share(marked[Planted], total[Planted]), share(marked[Clean], total[Clean]), share(marked[Covered], total[Covered])
	if total[Planted] == 0 || total[Clean] == 0 {
		return r
	}
	value := func(i int) float32 {
		if v := scores[i]; v == v {
			return v
		}
		return float32(math.Inf(-1))
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(value(b), value(a)) })
	r.ROC = make([]float64, len(rocRates))
	for k := range r.TPRAt {
		r.TPRAt[k] = new(float64)
	}
	var above [3]int
	pairs := 0.0
	for from := 0; from < len(order); {
		var here [3]int
		to := from
		for ; to < len(order) && value(order[to]) == value(order[from]); to++ {
			here[truth[order[to]]]++
		}
		pairs += float64(here[Clean]) * (float64(above[Planted]) + float64(here[Planted])/2)
		above[Clean] += here[Clean]
		above[Planted] += here[Planted]
		tpr, fpr := float64(above[Planted])/float64(total[Planted]), float64(above[Clean])/float64(total[Clean])
		for k, most := range falseRates {
			if fpr <= most {
				*r.TPRAt[k] = tpr
			}
		}
		for k, most := range rocRates {
			if fpr <= most {
				r.ROC[k] = tpr
			}
		}
		from = to
	}
	auroc := pairs / (float64(total[Planted]) * float64(total[Clean]))
	r.AUROC = &auroc
	return r
}
