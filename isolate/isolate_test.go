package isolate

import (
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/rng"
)

func TestSplitPartitions(t *testing.T) {
	scores := make([]float32, 1000)
	for i := range scores {
		scores[i] = float32((i * 7919) % 1000)
	}
	p := Split(scores, 0.01, 0.05, 1)
	if len(p.Isolated) != 10 || len(p.HeldBack) != 100 || len(p.Isolated)+len(p.HeldBack)+len(p.Kept) != 1000 {
		t.Fatalf("%d isolated, %d held back, %d kept", len(p.Isolated), len(p.HeldBack), len(p.Kept))
	}
	all := slices.Concat(p.Isolated, p.HeldBack, p.Kept)
	slices.Sort(all)
	if !slices.Equal(all, rng.Iota(1000)) {
		t.Error("the parts overlap or miss images")
	}
	for _, i := range p.Isolated {
		if scores[i] >= 10 {
			t.Errorf("image %d with score %g is isolated", i, scores[i])
		}
	}
	for _, i := range p.HeldBack {
		if scores[i] < 500 {
			t.Errorf("image %d with score %g is held back, in the suspicious half", i, scores[i])
		}
	}
}

func TestScores(t *testing.T) {
	epochs := [][]float32{{9, 1}, {0.1, 2}, {0.3, -1}}
	final := []float32{0.2, 0.5}
	if got := Scores("final", epochs, final); !slices.Equal(got, final) {
		t.Errorf("final: %v", got)
	}
	// The first epoch does not count, and an image that took no part in an epoch is not blamed for it.
	if got := Scores("worst", epochs, final); !slices.Equal(got, []float32{0.3, 2}) {
		t.Errorf("worst: %v", got)
	}
	if got := Scores("mean", epochs, final); got[1] != (1+2+0.5)/3.0 {
		t.Errorf("mean: %v", got)
	}
	if !slices.Equal(final, []float32{0.2, 0.5}) {
		t.Error("the losses were changed")
	}
}

// Of images that nothing tells apart those held back come from all of the data, and unwatched ones are kept.
func TestSplitDrawsAmongEqualScores(t *testing.T) {
	scores := slices.Repeat([]float32{1000}, 1000)
	scores[3] = 1
	p := Split(scores, 0.001, 0.1, 1)
	early := 0
	for _, i := range p.HeldBack {
		if i < 500 {
			early++
		}
	}
	if early < 30 || early > 70 || !slices.Equal(p.Isolated, []int{3}) {
		t.Errorf("%d of %d held-back images are of the first half; isolated %v", early, len(p.HeldBack), p.Isolated)
	}
	if again := Split(scores, 0.001, 0.1, 1); !slices.Equal(again.HeldBack, p.HeldBack) {
		t.Error("the same seed held back others")
	}
	all := slices.Delete(rng.Iota(1000), 3, 4)
	if p = p.Unwatched(); !slices.Equal(p.Kept, all) || len(p.HeldBack) > 0 {
		t.Errorf("unwatched: %d kept and %d held back, expected all but the isolated", len(p.Kept), len(p.HeldBack))
	}
}

// Shares that are none, and scores of no image or that are no number, make parts all the same.
func TestSplitOfOddShares(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		n, want     int
		share, held float64
	}{{0, 0, 0.1, 0.1}, {1, 1, 0.1, 0.1}, {5, 5, 2, 0.1}, {5, 1, nan, nan}, {5, 1, -1, -1}, {40, 4, 0.1, 3}} {
		p := Split(make([]float32, c.n), c.share, c.held, 1)
		if len(p.Isolated) != c.want || len(p.Isolated)+len(p.Kept)+len(p.HeldBack) != c.n {
			t.Errorf("%+v: %d isolated, %d kept, %d held back", c, len(p.Isolated), len(p.Kept), len(p.HeldBack))
		}
	}
	if p := Split([]float32{1, 2, float32(nan), 0}, 0.25, 0, 1); p.Isolated[0] != 2 {
		t.Errorf("the lowest are %v", p.Order)
	}
}
