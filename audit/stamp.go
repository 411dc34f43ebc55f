package audit

import (
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

const stampFewest = 10 // images that a pattern is learnt from

// mostStamped is the share of other labels' images that a pattern is laid on, at most: a model must see images without it too.
const mostStamped = 0.5

// purify puts the images of shortcuts back, whose pattern was laid on others with success, and lays it on the same share of other labels' images as of the
// label's own: what all labels carry alike says nothing. Images that came back are noted.
func (f *Found) purify(set *dataset.Set, l *Lessons, back []bool, seed uint64) {
	laid, done := make([]bool, set.Len()), make([]bool, len(set.Classes))
	for _, t := range f.Targets {
		if t.Says == look.Poisoned { // first, in the order of targets: what was removed under the label must not come back
			done[t.Label] = true
		}
		if t.Says != look.Shortcut || t.Moved == nil || done[t.Label] {
			continue
		}
		done[t.Label] = true
		under := func(i int) bool { return int(set.Labels[i]) == t.Label }
		with := look.Those(f.Removed, under)
		own := look.Those(f.Kept, under)
		others := look.Those(f.Kept, func(i int) bool { return !under(i) && !laid[i] })
		n := int(min(mostStamped, float64(len(with))/float64(max(1, len(with)+len(own)))) * float64(len(others)))
		if len(with) < stampFewest || n == 0 {
			continue
		}
		s := look.StampOf(set, with, own, others)
		for _, j := range rng.Shuffle(seed, "stamp", len(others), t.Label)[:n] {
			laid[others[j]] = true
			l.More = append(l.More, train.Example{Image: others[j], Stamp: s})
		}
		for _, i := range with {
			back[i] = true
			l.More = append(l.More, train.Example{Image: i})
		}
		f.Stamped, f.Returned = f.Stamped+n, f.Returned+len(with)
	}
	l.Kept = look.Those(l.Kept, func(i int) bool { return !laid[i] })
}
