package dataset

// CloneSome is Clone where only the pixels of some images can be changed. The others are this set's, unless that is grey or one that
// CloneSome made.
func (s *Set) CloneSome(indices []int) *Set {
	if s.Grey || s.copies != nil {
		return s.Clone()
	}
	all := make([]int, s.Len())
	for i := range all {
		all[i] = i
	}
	t, n := s.View(all), s.ImageBytes()
	t.copies = make([]uint8, 0, len(indices)*n)
	for _, i := range indices {
		if t.place[i] >= 0 {
			t.copies, t.place[i] = append(t.copies, s.own(i)...), ^int32(len(t.copies)/n)
		}
	}
	return t
}
