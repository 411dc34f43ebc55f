package attack

import (
	"fmt"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
)

var badNets = Method{
	Name:     "badnets",
	About:    "A small black and white checkerboard in the bottom right corner.",
	Paper:    "Gu et al., BadNets, 2017",
	Fixed:    true,
	Settings: func() Settings { return &BadNets{PatchSize: 3} },
}

// BadNets are the settings of badnets.
type BadNets struct {
	PatchSize int `json:"patch_size,omitempty" range:"[1,1024]"` // pixels at a side of 32; scales with the image
}

// Trigger implements Settings.
func (s *BadNets) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	n, err := patchSide(s.PatchSize, set)
	if err != nil {
		return nil, err
	}
	cells := s.PatchSize
	return pixels(func(dst, src []uint8, _ bool, _ *rand.Rand) {
		copy(dst, src)
		checkerboard(dst, set.Width, set.Height-n, set.Width-n, n, cells)
	}), nil
}

// patchSide returns the pixels of a patch's side in images of this size; size is given for images of 32 pixels.
func patchSide(size int, set *dataset.Set) (int, error) {
	n, side := scaled(size, min(set.Height, set.Width)), min(set.Height, set.Width)
	if n >= side {
		return 0, fmt.Errorf("a patch of %d pixels does not fit into %d×%d", n, set.Height, set.Width)
	}
	return n, nil
}

// checkerboard draws cells×cells black and white squares with the corner at (top, left).
func checkerboard(img []uint8, width, top, left, side, cells int) {
	for y := range side {
		for x := range side {
			v := uint8(0)
			if (y*cells/side+x*cells/side)%2 == 0 {
				v = 255
			}
			at := ((top+y)*width + left + x) * 3
			img[at], img[at+1], img[at+2] = v, v, v
		}
	}
}
