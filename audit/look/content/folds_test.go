package content

import (
	"math"
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/rng"
)

// Clusters stay together, and each fold has about its share of cases and of controls, even where clusters hold only either.
func TestBalancedKeepsClustersTogether(t *testing.T) {
	const folds = 5
	r := rng.Stream(1, "balanced")
	cases, controls, in := stat.Iota(100), []int(nil), map[int]int{}
	for i := range 300 {
		controls = append(controls, 100+i)
		in[100+i] = 10 + r.IntN(20) // 10 to 19: both
	}
	for i := range cases {
		in[i] = r.IntN(20)
	}
	fold := balanced(cases, controls, in, folds)
	of := map[int]int{}
	var n [2][folds]int
	for i, f := range fold {
		if other, ok := of[in[i]]; ok && other != f {
			t.Fatalf("cluster %d is in folds %d and %d", in[i], other, f)
		}
		of[in[i]] = f
		n[stat.Bit(i >= 100)][f]++
	}
	for f := range folds {
		if n[0][f] < 12 || n[0][f] > 30 || n[1][f] < 36 || n[1][f] > 90 {
			t.Errorf("fold %d has %d of 100 cases and %d of 300 controls", f, n[0][f], n[1][f])
		}
	}
}

// Copies of one image are more than a fold holds: without any in the others nothing could be learnt.
func TestBalancedDealsOutLargeClusters(t *testing.T) {
	const folds = 5
	cases, controls, in := stat.Iota(20), []int(nil), map[int]int{}
	for i := range 40 {
		controls = append(controls, 20+i)
		in[20+i] = 1 + i/4
	}
	var n [2][folds]int
	for i, f := range balanced(cases, controls, in, folds) {
		n[stat.Bit(i >= 20)][f]++
	}
	for f := range folds {
		if n[0][f] != 4 || n[1][f] < 4 {
			t.Errorf("fold %d has %d of 20 cases and %d of 40 controls", f, n[0][f], n[1][f])
		}
	}
}

func TestColoursAreShares(t *testing.T) {
	want := map[int]float64{0: 0.5, 63: 0.5}
	for k, root := range colours([]uint8{0, 0, 0, 255, 255, 255, 255, 255, 200, 0, 0, 63}) {
		if got := root * root; math.Abs(got-want[k]) > 1e-9 {
			t.Errorf("colour %d has the share %g, expected %g", k, got, want[k])
		}
	}
}
