package content

import (
	"math/rand/v2"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
)

// A label is poisoned exactly where all that the rule asks for is there, and so is its strength 1 or more.
func TestStrengthIsTheRule(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	said := map[bool]int{}
	for range 2000 {
		f := Facts{
			Counts: look.Counts{Flagged: r.IntN(2 * fewest)}, Known: r.IntN(3 * fewest), Evidence: 3 * ofPair * r.Float64(), InCommon: 4 * shared * r.Float64(), Shared: 0.5 + 0.5*r.Float64(),
			OfLabel: max(0, r.Float64()-0.5),
		}
		switch r.IntN(3) {
		case 0:
			f.From = new(int)
		case 1:
			f.Left = true
		}
		poisoned := f.Says() == look.Poisoned
		said[poisoned]++
		if poisoned != (f.Strength() >= 1) {
			t.Fatalf("%+v: %s with a strength of %g", f, f.Says(), f.Strength())
		}
	}
	if min(said[true], said[false]) < 100 {
		t.Errorf("%v", said)
	}
}
