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
	Defaults: func(c *Config) { c.Alpha = 0.2 },
	New: func(c Config, set *dataset.Set) (Trigger, error) {
		if err := c.checkAlpha(); err != nil {
			return nil, err
		}
		h, w := set.Height, set.Width
		pattern := make([]uint8, h*w*3)
		if c.Image != "" {
			p, err := loadPicture(c.Image, h, w)
			if err != nil {
				return nil, err
			}
			for i := range h * w {
				copy(pattern[3*i:3*i+3], p.Pix[4*i:])
			}
		} else {
			noise(pattern, h, w, c.Seed)
		}
		return pixels(func(dst, src []uint8, _ bool, _ *rand.Rand) {
			for i, v := range src {
				dst[i] = toByte((1-c.Alpha)*float64(v) + c.Alpha*float64(pattern[i]))
			}
		}), nil
	},
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
