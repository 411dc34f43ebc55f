package look

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/planted"
)

// A sticker that a network has learnt moves images of other labels; a difference by chance between images of a label does not. Networks
// that learnt none of the suspects tell wrong labels from right ones, whatever was thought of them before.
func TestSettleTellsATriggerFromAKind(t *testing.T) {
	config := attack.Defaults("badnets")
	config.Target, config.Rate = 4, 0.1
	_, set, poisoned := planted.Poison(t, config, signs.Render(1, 600, 10).Train)
	r, c := trained(t, set, 32, Settings{Content: true, PlainEpochs: 1, Rate: 0.1, ContentEpochs: 8, Steps: Steps{Plain: 120}})
	sticker, mark, chance := c.Unasked(), c.Unasked(), c.Unasked()
	for i, l := range set.Labels {
		switch l {
		case 4:
			sticker[i] = float32(stat.Bit(poisoned[i]))
		case 5:
			if mark[i] = float32(i / 10 % 2); mark[i] > 0 {
				for k := range 4 * 32 * 3 { // a bar at the upper edge
					set.Image(i)[k] = 255
				}
			}
		case 3:
			chance[i] = float32(i % 2)
		}
	}
	for name, k := range map[string]struct {
		label    int
		carriers []float32
		want     Says
	}{"sticker": {4, sticker, Poisoned}, "mark": {5, mark, Shortcut}, "kind": {3, chance, NoEvidence}} {
		e := Evidence{Look: Name(name), Label: k.label, Says: CantTell, Right: &Right{1, 1}}
		c.saved.Evidence = []Evidence{e}
		r.Arrays[doubtfulKey(e)] = k.carriers
		if err := c.Settle(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := c.Evidence()[0]; got.Says != k.want || got.Moved == nil {
			t.Errorf("%s: %+v %+v", name, got, got.Moved)
		}
	}
}
