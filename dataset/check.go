package dataset

import (
	"errors"
	"fmt"
)

// Check refuses a set whose parts contradict each other, as one may that a program made by hand: learning from it would panic, or take an
// image for another.
func (s *Set) Check() error {
	if s == nil {
		return errors.New("there are no images: expected a set, which may be empty, found nil")
	}
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

// CheckFor is Check where images are given to what takes those of so many classes and of one size, as a network or a trigger. Errors call
// the images what. lists are of indices of them.
func (s *Set) CheckFor(what string, classes, height, width int, lists ...[]int) error {
	if s == nil {
		return fmt.Errorf("%s: %w", what, s.Check())
	}
	if s.Height != height || s.Width != width {
		return fmt.Errorf("%s have %d×%d pixels, width × height, expected %d×%d", what, s.Width, s.Height, width, height)
	}
	if len(s.Classes) != classes {
		return fmt.Errorf("%s are of %d classes, expected %d", what, len(s.Classes), classes)
	}
	if err := s.Check(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, at := range lists {
		for _, i := range at {
			if i < 0 || i >= s.Len() {
				return fmt.Errorf("%s: expected indices from 0 to %d, found %d", what, s.Len()-1, i)
			}
		}
	}
	return nil
}
