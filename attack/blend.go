package attack

import (
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

var blend = Method{
	Name:     "blend",
	About:    "A fixed random pattern, or a picture, over the whole image: (1−α)·x + α·k.",
	Paper:    "Chen et al., Targeted Backdoor Attacks Using Data Poisoning, 2017",
	Settings: func() Settings { return &Blend{Alpha: 0.2} },
}

// Blend are the settings of blend.
type Blend struct {
	Alpha float64 `json:"alpha,omitempty" range:"(0,1]"` // opacity of the pattern
	Image string  `json:"image,omitempty"`               // a picture of the user's own instead of noise
}

func (s *Blend) file() string { return s.Image }

// Trigger implements Settings.
func (s *Blend) Trigger(c Common, set *dataset.Set) (Trigger, error) {
	pattern, err := blendPattern(s.Image, c.Seed, set)
	if err != nil {
		return nil, err
	}
	alpha := s.Alpha
	return pixels(func(dst, src []uint8, _ bool, _ *rand.Rand) {
		for i, v := range src {
			dst[i] = toByte((1-alpha)*float64(v) + alpha*float64(pattern[i]))
		}
	}), nil
}

// blendPattern returns a picture from a file, or noise where path is empty, in the size of the set's images.
func blendPattern(path string, seed uint64, set *dataset.Set) ([]uint8, error) {
	h, w := set.Height, set.Width
	pattern := make([]uint8, h*w*3)
	if path == "" {
		noise(pattern, h, w, seed)
		return pattern, nil
	}
	p, err := loadPicture(path, h, w)
	if err != nil {
		return nil, err
	}
	for i := range h * w {
		copy(pattern[3*i:3*i+3], p.Pix[4*i:])
	}
	return pattern, nil
}

// noise fills a pattern of 32×32 cells whatever the image's size, so that it looks the same.
func noise(pattern []uint8, h, w int, seed uint64) {
	const cells = 32
	r := rng.Stream(seed, "attack blend pattern")
	var k [cells][cells][3]uint8
	for y := range cells {
		for x := range cells {
			k[y][x] = [3]uint8{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256))}
		}
	}
	for y := range h {
		for x := range w {
			copy(pattern[(y*w+x)*3:], k[y*cells/h][x*cells/w][:])
		}
	}
}
