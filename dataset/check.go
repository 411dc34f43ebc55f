package dataset

import "fmt"

// Check refuses a set whose parts contradict each other, as one may that a program made by hand: learning from it would panic, or take an
// image for another.
func (s *Set) Check() error {
	n := len(s.Labels)
	if want := n * s.stored(); s.mapped == nil && s.place == nil && len(s.Pixels) != want {
		return fmt.Errorf("%d images of %d×%d pixels take %d bytes, found %d: expected %d labels, and Pixels of as many images", n, s.Width, s.Height, want, len(s.Pixels), n)
	}
	for i, label := range s.Labels {
		if label < 0 || int(label) >= len(s.Classes) {
			return fmt.Errorf("%s has the label %d, expected 0 to %d: there are %d classes", s.Source(i), label, len(s.Classes)-1, len(s.Classes))
		}
	}
	return nil
}
