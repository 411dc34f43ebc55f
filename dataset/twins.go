package dataset

// Twins says which images are there twice: equal pixels, at the size that they were read at.
type Twins struct {
	Same        int       // images that equal an earlier one
	Conflicting int       // those among them whose class is another one
	First       [2]string // sources of the first pair
}

// add counts a pair.
func (t *Twins) add(a, b string, conflicting bool) {
	if t.Same == 0 {
		t.First = [2]string{a, b}
	}
	t.Same++
	if conflicting {
		t.Conflicting++
	}
}

// Twins finds images of the set that equal an earlier one of it.
func (s *Set) Twins() Twins {
	var t Twins
	s.byPixels(func(i, j int) { t.add(s.Source(i), s.Source(j), s.Labels[i] != s.Labels[j]) })
	return t
}

// Duplicates counts images that equal an earlier one byte for byte, and those among them whose
// label differs from the earlier one's.
func (s *Set) Duplicates() (same, conflicting int) {
	t := s.Twins()
	return t.Same, t.Conflicting
}

// Shared finds images of other that equal one of the set, as when test images were trained on.
func (s *Set) Shared(other *Set) Twins {
	var t Twins
	if other == nil || s.Height != other.Height || s.Width != other.Width {
		return t
	}
	first := s.byPixels(func(int, int) {})
	for j := range other.Labels {
		if i, ok := first[digestPixels(other.Image(j), s.Height, s.Width)]; ok {
			t.add(s.Source(int(i)), other.Source(j), s.Classes[s.Labels[i]] != other.Classes[other.Labels[j]])
		}
	}
	return t
}

// byPixels returns the first image of each content and calls again for later ones of the same.
func (s *Set) byPixels(again func(first, later int)) map[ImageDigest]int32 {
	first := make(map[ImageDigest]int32, s.Len())
	for i := range s.Labels {
		d := digestPixels(s.Image(i), s.Height, s.Width)
		if k, ok := first[d]; ok {
			again(int(k), i)
			continue
		}
		first[d] = int32(i)
	}
	return first
}
