package detect

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The AUROC is the share of pairs that are in order, ties counting half; the TPR at a rate is the best over all limits.
func TestMeasureAgreesWithCounting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		n := 400
		scores, flagged, truth := make([]float32, n), make([]bool, n), make([]Truth, n)
		for i := range n {
			truth[i] = Truth(r.IntN(3))
			scores[i] = float32(r.IntN(40) + 8*int(truth[i])) // with ties
			flagged[i] = r.IntN(4) == 0
		}
		got := measure(scores, flagged, truth)
		pairs, all := 0.0, 0.0
		for i := range n {
			for j := range n {
				if truth[i] == Planted && truth[j] == Clean {
					all++
					switch {
					case scores[i] > scores[j]:
						pairs++
					case scores[i] == scores[j]:
						pairs += 0.5
					}
				}
			}
		}
		if math.Abs(*got.AUROC-pairs/all) > 1e-12 {
			t.Fatalf("AUROC %g, counted %g", *got.AUROC, pairs/all)
		}
		for k, most := range falseRates {
			best := 0.0
			for _, limit := range scores {
				tpr, fpr := shares(scores, truth, limit)
				if fpr <= most {
					best = max(best, tpr)
				}
			}
			if math.Abs(*got.TPRAt[k]-best) > 1e-12 {
				t.Fatalf("TPR at %g: %g, counted %g", most, *got.TPRAt[k], best)
			}
		}
	}
}

// shares are the TPR and the FPR of a limit.
func shares(scores []float32, truth []Truth, limit float32) (tpr, fpr float64) {
	var on, of [3]float64
	for i, v := range scores {
		of[truth[i]]++
		if v >= limit {
			on[truth[i]]++
		}
	}
	return on[Planted] / of[Planted], on[Clean] / of[Clean]
}

// A clean set has no rates of true positives; scores that are no number neither panic nor win.
func TestMeasureWithoutPlanted(t *testing.T) {
	nan := float32(math.NaN())
	r := measure([]float32{1, nan}, []bool{true, false}, []Truth{Clean, Clean})
	if r.AUROC != nil || r.TPR != nil || r.TPRAt[0] != nil || *r.FPR != 0.5 || r.Flagged != 1 {
		t.Errorf("%+v", r)
	}
	if r := measure([]float32{nan, 0}, make([]bool, 2), []Truth{Planted, Clean}); *r.AUROC != 0 {
		t.Errorf("AUROC %g, expected 0", *r.AUROC)
	}
}
