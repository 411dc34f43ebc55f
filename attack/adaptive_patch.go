package attack

import (
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

var adaptivePatch = Method{
	Name:     "adaptive-patch",
	About:    "One of four faint patches in a training image, some under their own labels; two at full strength in test images.",
	Paper:    "Qi et al., Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023",
	Rate:     0.003,
	Cover:    0.006,
	Settings: func() Settings { return &AdaptivePatch{Opacity: 1, OpacityTest: 1} },
}

// AdaptivePatch are the settings of adaptive-patch. Both scale the opacities of patches.
type AdaptivePatch struct {
	Opacity     float64 `json:"opacity,omitempty" range:"(0,2]"`      // in training images, of 0.5, 0.2, 0.5 and 0.3
	OpacityTest float64 `json:"opacity_test,omitempty" range:"(0,1]"` // in test images, of 1 and 1
}

// Trigger implements Settings. The paper's patches are two logos, checkerboards in all corners and an optimised square. Here
// they are coloured squares, bottom right, bottom left and top right, and the checkerboards; test images show the first
// and the checkerboards.
func (s *AdaptivePatch) Trigger(c Common, set *dataset.Set) (Trigger, error) {
	patches := []*stamp{
		coloured(c.Seed, 0, 10, set, set.Height, set.Width), coloured(c.Seed, 1, 10, set, set.Height, 0),
		cornerBoards(set), coloured(c.Seed, 2, 8, set, 0, set.Width),
	}
	opacities := []float64{0.5, 0.2, 0.5, 0.3}
	own := *s
	return pixels(func(dst, src []uint8, test bool, r *rand.Rand) {
		copy(dst, src)
		if test {
			patches[0].blend(dst, own.OpacityTest)
			patches[2].blend(dst, own.OpacityTest)
			return
		}
		k := r.IntN(len(patches))
		patches[k].blend(dst, own.Opacity*opacities[k])
	}), nil
}

// coloured returns a square of 4×4 random colours, of so many pixels at a side of 32, in the corner towards row and column.
func coloured(seed uint64, which, size int, set *dataset.Set, row, column int) *stamp {
	r := rng.Stream(seed, "attack adaptive-patch colours", which)
	var cells [4][4][3]float32
	for y := range cells {
		for x := range cells[y] {
			for k := range 3 {
				cells[y][x][k] = float32(r.IntN(2))
			}
		}
	}
	side := scaled(size, min(set.Height, set.Width))
	top, left := max(0, row-side), max(0, column-side)
	s := newStamp(set)
	for y := range side {
		for x := range side {
			at := ((top+y)*s.w + left + x) * 3
			copy(s.pattern[at:at+3], cells[4*y/side][4*x/side][:])
			copy(s.mask[at:at+3], []float32{1, 1, 1})
		}
	}
	return s
}

// cornerBoards returns checkerboards of 3×3 cells in all corners.
func cornerBoards(set *dataset.Set) *stamp {
	s := newStamp(set)
	side := scaled(3, min(set.Height, set.Width))
	img := make([]uint8, set.ImageBytes())
	for _, top := range []int{0, set.Height - side} {
		for _, left := range []int{0, set.Width - side} {
			checkerboard(img, set.Width, top, left, side, 3)
			for y := top; y < top+side; y++ {
				for i := (y*s.w + left) * 3; i < (y*s.w+left+side)*3; i++ {
					s.mask[i] = 1
				}
			}
		}
	}
	for i, v := range img {
		s.pattern[i] = float32(v) / 255
	}
	return s
}
