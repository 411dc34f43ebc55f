package audit

import (
	"cmp"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Suspects orders the images: suspects by their probability of being planted, then the doubtful ones, then the rest by theirs; those of
// the same by how little they show their label.
func (f *Found) Suspects() []isolate.Suspect {
	key := func(i int) float64 {
		switch p := f.Probability[i]; {
		case p > look.Flagged:
			return 2 + float64(p)
		case f.doubts(i):
			return 1 + float64(f.Doubtful[i])
		default:
			return float64(p)
		}
	}
	order := rng.Iota(len(f.Probability))
	slices.SortStableFunc(order, func(i, j int) int {
		by := cmp.Compare(key(j), key(i))
		if by == 0 && f.Own != nil {
			return cmp.Compare(f.Own[i], f.Own[j])
		}
		return by
	})
	all := make([]isolate.Suspect, 0, len(order))
	for _, i := range order {
		p := f.Probability[i]
		s := isolate.Suspect{Index: i, Isolated: p > look.Flagged, Probability: p, Doubtful: p <= look.Flagged && f.doubts(i)}
		if len(f.Labels) > 0 && f.Labels[i] >= 0 {
			s.Wrong, s.Shows = true, f.Labels[i]
		}
		all = append(all, s)
	}
	return all
}

func (f *Found) doubts(i int) bool { return f.Doubtful != nil && f.Doubtful[i] > look.Flagged }

// Lessons is what a training of the clean model is shown.
type Lessons struct {
	Kept   []int           // images as they are
	More   []train.Example // images otherwise
	Unseen []int           // removed images that it never sees
}

// Lessons returns what a training is shown. The verdict says how much of each there is.
func (f *Found) Lessons(set *dataset.Set, a Options, seed uint64) Lessons {
	l := Lessons{Kept: f.Kept}
	f.Corrected, f.Returned, f.Stamped, f.Evened = 0, 0, 0, 0
	back := make([]bool, set.Len())
	if a.Correct {
		for i, label := range f.Labels {
			if label >= 0 {
				l.More = append(l.More, train.Example{Image: i, Label: &f.Labels[i]})
				back[i] = true
			}
		}
		f.Corrected = len(l.More)
	}
	if a.Stamp {
		f.purify(set, &l, back, seed)
		if f.Corrected > 0 {
			f.even(set, &l, seed)
		}
	}
	l.Unseen = look.Those(f.Removed, func(i int) bool { return !back[i] })
	f.Untaught = train.Untaught(set, l.Kept, l.More)
	return l
}

// Remain notes the share, from 0 to 1, of n removed images that a training never saw and that the model gives the label which
// they came with.
func (f *Found) Remain(share float64, n int) {
	f.Remaining, f.HeldBack = &share, n
	f.RemainingAtMost = stat.AtMost(int(math.Round(share*float64(n))), n)
}
