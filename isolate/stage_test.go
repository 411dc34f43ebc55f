package isolate

import (
	"context"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/train"
)

// easy is a run over dark images of one class and bright ones of another.
func easy(t *testing.T) *train.Run {
	t.Helper()
	const n, side = 64, 8
	set := &dataset.Set{Height: side, Width: side, Classes: []string{"dark", "bright"}, Pixels: make([]uint8, n*side*side*3), Labels: make([]int32, n)}
	for i := range n {
		set.Labels[i] = int32(i % 2)
		for k := range set.Image(i) {
			set.Image(i)[k] = uint8(i%2*200 + (i*7+k*13)%50)
		}
	}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	r := train.DefaultRecipe()
	r.Network, r.Batch = "small-cnn", 32
	run, err := train.Start(set, r, train.Settings{Backend: b})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// Isolation goes on until what is easy has been learnt, and no further than it may.
func TestIsolationGoesOnUntilTheEasyIsLearnt(t *testing.T) {
	o := Default()
	o.Gamma = 0.1 // a guess between two classes is not enough
	for _, c := range []struct{ epochs, most, low, high int }{{1, 30, 2, 29}, {1, 2, 2, 2}, {3, 0, 3, 3}} {
		o.IsolateEpochs, o.IsolateMost = c.epochs, c.most
		found, err := Run(context.Background(), easy(t), o)
		if err != nil {
			t.Fatal(err)
		}
		if found.Epochs < c.low || found.Epochs > c.high || len(found.Scores) != 64 {
			t.Errorf("%d epochs or more, up to %d: it took %d and gave %d scores", c.epochs, c.most, found.Epochs, len(found.Scores))
		}
	}
}

// Epochs before the last ones have no say where the ranking is by so many, nor the first ones where isolation went on.
func TestRankEpochs(t *testing.T) {
	for _, c := range []struct {
		isolate, rank int
		want          float32 // the worst of the epochs that count
	}{{4, 0, 30}, {4, 1, 10}, {4, 2, 20}, {4, 3, 30}, {4, 9, 30}, {3, 0, 20}, {2, 0, 10}} {
		if got, left := rankOf(t, "worst", c.isolate, c.rank); got != c.want || left != 1 {
			t.Errorf("%d epochs, the last %d of them: score %g, expected %g; %d arrays left", c.isolate, c.rank, got, c.want, left)
		}
	}
}

// rankOf ranks by epochs with the losses 40, 30, 20 and 10, and returns a score, and how many arrays are left.
func rankOf(t *testing.T, by string, epochs, last int) (score float32, left int) {
	t.Helper()
	r := easy(t)
	for k, loss := range []float32{40, 30, 20, 10} {
		r.Arrays[epochName(k)] = slices.Repeat([]float32{loss}, r.Data.Len())
	}
	o := Default()
	o.Rank, o.IsolateEpochs, o.RankEpochs = by, epochs, last
	if err := o.rank(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r.Arrays["scores"][0], len(r.Arrays)
}

// The mean is of as many epochs as were asked for, and of what isolation left.
func TestMeanOfTheLastEpochs(t *testing.T) {
	final, _ := rankOf(t, "final", 4, 0)
	for last, sum := range map[int]float32{0: 100, 1: 10, 2: 30, 3: 60, 4: 100, 9: 100} {
		n := float32(last)
		if last == 0 || last > 4 {
			n = 4
		}
		if got, _ := rankOf(t, "mean", 4, last); got != (final+sum)/(n+1) {
			t.Errorf("the last %d: score %g, expected %g", last, got, (final+sum)/(n+1))
		}
	}
}

func TestMeanLeavesOutWhatTookNoPart(t *testing.T) {
	if got := mean([]float32{1, -1, 2, -1}); got != 1.5 {
		t.Errorf("mean %g, expected 1.5", got)
	}
}
