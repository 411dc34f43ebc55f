package abl

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/dataset/signs"
)

// Isolation goes on until what is easy has been learnt, and no further than it may.
func TestIsolationGoesOnUntilTheEasyIsLearnt(t *testing.T) {
	set := signs.Render(1, 1000, 1).Train
	o := Demo()
	o.TuneEpochs, o.Unlearn = 0, "none"
	o.IsolateEpochs, o.IsolateMost = 1, 12
	long, err := Train(context.Background(), set, o, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if long.Isolated <= 1 || long.Isolated >= 12 {
		t.Errorf("isolation took %d epochs, expected more than 1 and fewer than 12", long.Isolated)
	}
	o.IsolateMost = 2
	if short, err := Train(context.Background(), set, o, Settings{}); err != nil || short.Isolated != 2 {
		t.Errorf("isolation took %d epochs of 2: %v", short.Isolated, err)
	}
	o.IsolateEpochs, o.IsolateMost = 3, 0
	if exact, err := Train(context.Background(), set, o, Settings{}); err != nil || exact.Isolated != 3 {
		t.Errorf("isolation took %d epochs, expected 3: %v", exact.Isolated, err)
	}
}

// Epochs before the last ones have no say where the ranking is by so many: the scores are those of the later losses.
func TestRankEpochs(t *testing.T) {
	set := signs.Render(1, 600, 1).Train
	o := Demo()
	o.TuneEpochs, o.Unlearn = 0, "none"
	o.IsolateEpochs = 4
	worst := func(last int) float32 {
		o.RankEpochs = last
		r, err := Train(context.Background(), set, o, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		sum := float32(0)
		for _, s := range r.Suspects {
			sum += s.Score
		}
		return sum
	}
	one, three, all := worst(1), worst(3), worst(0)
	if one >= three || three != all { // all but the first of four are three
		t.Errorf("the worst losses add up to %g over one epoch, %g over three, %g over all", one, three, all)
	}
	o.RankEpochs = -1
	if _, err := Train(context.Background(), set, o, Settings{}); err == nil {
		t.Error("-1 epochs were taken")
	}
}
