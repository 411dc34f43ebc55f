package dataset

import (
	"github.com/unpoison/unpoison/rng"
)

// CloneSome is Clone where only the pixels of some images can be changed. The others are this set's, unless that is grey or one that
// CloneSome made.
func (s *Set) CloneSome(changed []int) *Set {
	if s.Grey || s.copies != nil {
		return s.Clone()
	}
	t, n := s.View(rng.Iota(s.Len())), s.ImageBytes()
	t.copies = make([]uint8, 0, len(changed)*n)
	for _, i := range changed {
		if t.place[i] >= 0 {
			t.copies, t.place[i] = append(t.copies, s.own(i)...), ^int32(len(t.copies)/n)
		}
	}
	return t
}
