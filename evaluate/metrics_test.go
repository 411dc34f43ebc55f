package evaluate

import (
	"math"
	"testing"
)

func TestRankQuality(t *testing.T) {
	poisoned := []bool{true, false, true, false, false}
	// Order: poisoned, clean, poisoned, clean, clean.
	q := RankQuality([]int{0, 1, 2, 3, 4}, 2, poisoned)
	if q.Precision != 0.5 || q.Recall != 0.5 {
		t.Errorf("precision %g, recall %g", q.Precision, q.Recall)
	}
	if want := 5.0 / 6; math.Abs(q.AUROC-want) > 1e-12 { // 5 of 6 pairs in order
		t.Errorf("AUROC %g, want %g", q.AUROC, want)
	}
	if want := (1 + 2.0/3) / 2; math.Abs(q.AveragePrecision-want) > 1e-12 {
		t.Errorf("average precision %g, want %g", q.AveragePrecision, want)
	}
	if best := RankQuality([]int{0, 2, 1, 3, 4}, 2, poisoned); best.AUROC != 1 || best.AveragePrecision != 1 || best.Precision != 1 {
		t.Errorf("a perfect order scores %+v", best)
	}
	if worst := RankQuality([]int{1, 3, 4, 0, 2}, 2, poisoned); worst.AUROC != 0 || worst.Precision != 0 {
		t.Errorf("the worst order scores %+v", worst)
	}
	if q := RankQuality([]int{0, 2, 1, 3}, 0, []bool{true, true, false, false}); q.AUROC != 0.75 || q.Precision != 0 {
		t.Errorf("three of four pairs, nothing isolated: %+v", q)
	}
	if RankQuality([]int{0, 1}, 1, []bool{false, false}) != nil {
		t.Error("without poison there is nothing to score")
	}
}

func TestCrossEntropyIsStable(t *testing.T) {
	if got := CrossEntropy([]float32{0, 0, 0, 0}, 1); math.Abs(got-math.Log(4)) > 1e-12 {
		t.Errorf("a uniform guess costs %g, want ln 4", got)
	}
	if got := CrossEntropy([]float32{1000, 0}, 0); got != 0 {
		t.Errorf("certainty costs %g", got)
	}
	if got := CrossEntropy([]float32{1000, 0}, 1); got != 1000 {
		t.Errorf("certain error costs %g", got)
	}
}

func TestOrderIsStable(t *testing.T) {
	o := Order([]float32{2, 1, 2, 1, 0})
	for i, want := range []int{4, 1, 3, 0, 2} {
		if o[i] != want {
			t.Fatalf("got %v", o)
		}
	}
}

// What is no number comes first, wherever it stood; where nothing is clean, and nothing more isolated than there is, figures say so.
func TestRankingsOfOddScores(t *testing.T) {
	nan := float32(math.NaN())
	for _, scores := range [][]float32{{3, nan, 1}, {1, nan, 3}, {nan, 2, 1}, {2, 1, nan}} {
		if o := Order(scores); scores[o[0]] == scores[o[0]] || scores[o[1]] > scores[o[2]] {
			t.Errorf("%v: %v", scores, o)
		}
	}
	if q := RankQuality([]int{0, 1}, 1, []bool{true, true}); q.AUROC != 0.5 || q.Precision != 1 || q.Recall != 0.5 {
		t.Errorf("all are poisoned: %+v", q)
	}
	if q := RankQuality([]int{0, 1}, 5, []bool{true, false}); q.Precision != 0.5 || q.Recall != 1 {
		t.Errorf("all are isolated: %+v", q)
	}
}
