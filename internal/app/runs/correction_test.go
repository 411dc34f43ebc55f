package runs

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/isolate"
)

// Corrections are scored by the labels before the attack: only removed images count, and only where the truth is known.
func TestScoreCorrection(t *testing.T) {
	out := &Outcome{Verdict: &audit.Verdict{}, Train: &dataset.Set{Labels: []int32{0, 0, 0, 0, 1}}, own: []int32{1, 2, 3, 0, 1}}
	suspects := []isolate.Suspect{
		{Index: 0, Isolated: true, Wrong: true, Shows: 1}, // right
		{Index: 1, Isolated: true, Wrong: true, Shows: 3}, // another wrong one
		{Index: 2, Isolated: true},                        // stays out
		{Index: 3, Isolated: true, Wrong: true, Shows: 2}, // an honest one that got a wrong label
		{Index: 4},
	}
	if got, want := scoreCorrection(suspects, out), (Correction{Wrong: 3, Corrected: 3, OfWrong: 2, Right: 1}); got == nil || *got != want {
		t.Errorf("%+v, expected %+v", got, want)
	}
	left := []isolate.Suspect{{Index: 0, Isolated: true}, {Index: 3, Isolated: true}}
	if got, want := scoreCorrection(left, out), (Correction{Wrong: 1}); got == nil || *got != want {
		t.Errorf("%+v where nothing was corrected, expected %+v", got, want)
	}
	if got := scoreCorrection(left[1:], out); got != nil {
		t.Errorf("%+v where there was nothing to correct", got)
	}
	cba, err := attack.New(context.Background(), attack.Defaults("cba"), signs.Render(1, 40, 0).Train, attack.Env{})
	if err != nil {
		t.Fatal(err)
	}
	out.Attacks = []*attack.Attack{cba}
	if got := scoreCorrection(suspects, out); got != nil {
		t.Errorf("%+v of images that show several classes", got)
	}
	out.Attacks = nil
	out.Verdict = nil
	if got := scoreCorrection(suspects, out); got != nil {
		t.Errorf("%+v of images that no search removed", got)
	}
	out.Verdict, out.own = &audit.Verdict{}, nil
	if got := scoreCorrection(suspects, out); got != nil {
		t.Errorf("%+v where nobody knows the truth", got)
	}
}
