package pixels

import (
	"math/rand/v2"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
)

// There is a pattern exactly where all that the rule asks for is there, and so is its strength 1 or more.
func TestStrengthIsTheRule(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	said := map[bool]int{}
	for range 2000 {
		f := Facts{
			Counts:   look.Counts{Images: 100, Others: 900, Flagged: r.IntN(5 * fewest), Between: r.IntN(8), Leak: r.IntN(300)},
			Distance: 3 * apart * r.Float64(), Spread: 3 * variation * max(0, r.Float64()-0.1), // of one in ten images without any variation
		}
		found := f.Says() == look.Poisoned
		said[found]++
		if found != (f.Strength() >= 1) {
			t.Fatalf("%+v: %s with a strength of %g", f, f.Says(), f.Strength())
		}
	}
	if min(said[true], said[false]) < 100 {
		t.Errorf("%v", said)
	}
}
