package look

import (
	"context"
	"math"
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset/signs"
)

// A network that learnt from a sample in which a class has half its share takes it for half as likely as it is.
func TestShiftedIsAProbability(t *testing.T) {
	logs := func() []float32 { return []float32{float32(math.Log(0.2)), float32(math.Log(0.8))} }
	if got := shiftedOf(logs(), nil, 0); got != logs()[0] {
		t.Errorf("nothing lacks: %g", got)
	}
	if got, want := math.Exp(float64(shiftedOf(logs(), []float64{math.Log(2), 0}, 0))), 0.4/1.2; math.Abs(got-want) > 1e-6 {
		t.Errorf("%g, expected %g", got, want)
	}
}

// What a network that learnt from a sample says of suspects is shifted as what it says of all images.
func TestUntaughtIsShifted(t *testing.T) {
	set := signs.Render(1, 300, 0).Train
	set.Classes = set.Classes[:2]
	for i := range set.Labels {
		set.Labels[i] = int32(stat.Bit(i%10 == 0)) // a sample has more of the rare one
	}
	r, c := trained(t, set, 8, Settings{Content: true, ContentEpochs: 1, Learn: 16})
	carriers, suspect := c.Unasked(), make([]bool, set.Len())
	for i := range carriers {
		if set.Labels[i] == 0 && i%3 == 0 {
			carriers[i], suspect[i] = 1, true
		}
	}
	p := c.pattern(0, carriers)
	p.learn(c)
	got, err := c.untaughtFold(context.Background(), "some", p, 0, suspect, true)
	if err != nil {
		t.Fatal(err)
	}
	kept := r.Arrays[foldKey(withoutKey(0), 0)]
	var of []int // the suspects of the fold, by their place in it
	for k, i := range c.contentFolds()[0] {
		if suspect[i] {
			of = append(of, k)
		}
	}
	for j, k := range c.Draw("untaught", of, laidOn, 0, 0) {
		if want := shiftedOf(kept[2*k:2*k+2], []float64{0, 0}, 0); math.Abs(float64(got[0][j]-want)) > 1e-5 {
			t.Errorf("suspect %d: %g, of all images %g", j, got[0][j], want)
		}
	}
	if len(got[0]) == 0 {
		t.Error("no suspects")
	}
}
