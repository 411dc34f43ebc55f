package attack

import (
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
)

var taCT = Method{
	Name:     "tact",
	About:    "Source-specific: a patch counts on images of one class alone; on others it keeps the label.",
	Paper:    "Tang et al., Demon in the Variant, USENIX Security 2021",
	Fixed:    true,
	Rate:     0.003,
	Cover:    0.003,
	Settings: func() Settings { return &TaCT{Source: 1, PatchSize: 6} },
}

// TaCT are the settings of tact.
type TaCT struct {
	Source    int `json:"source" range:"[0,)"`                   // the class whose images the trigger sends to the target
	PatchSize int `json:"patch_size,omitempty" range:"[1,1024]"` // pixels at a side of 32; scales with the image
}

// only is the class whose images alone are triggered.
func (s *TaCT) only() int { return s.Source }

// Trigger implements Settings.
func (s *TaCT) Trigger(c Common, set *dataset.Set) (Trigger, error) {
	n, err := patchSide(s.PatchSize, set)
	if err != nil {
		return nil, err
	}
	if s.Source >= len(set.Classes) {
		return nil, classesf("source %d is out of range, the classes are 0 to %d", s.Source, len(set.Classes)-1)
	}
	if !c.moves(int32(s.Source), len(set.Classes)) {
		return nil, classesf("the source class %d is the target; source=N names another", s.Source)
	}
	cells := s.PatchSize
	return &sourced{source: s.Source, pixels: func(dst, src []uint8, _ bool, _ *rand.Rand) {
		copy(dst, src)
		checkerboard(dst, set.Width, set.Height-n, set.Width-n, n, cells)
	}}, nil
}

// sourced is a trigger for images of one class.
type sourced struct {
	source int
	pixels
}

// Takes implements Selective.
func (s *sourced) Takes(class int) bool { return class == s.source }
