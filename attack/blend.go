package attack

import (
	"fmt"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
)

var blend = Method{
	Name:  "blend",
	About: "A fixed random pattern over the whole image: (1−α)·x + α·k.",
	Paper: "Chen et al., Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning, 2017",
	New: func(c Config, h, w int) (Trigger, error) {
		if c.Alpha <= 0 || c.Alpha > 1 {
			return nil, fmt.Errorf("alpha %g, expected more than 0 and up to 1", c.Alpha)
		}
		// The pattern has 32×32 cells whatever the image's size, so that it looks the same.
		const cells = 32
		r := dataset.Stream(c.Seed, "attack blend pattern")
		var k [cells][cells][3]uint8
		for y := range cells {
			for x := range cells {
				k[y][x] = [3]uint8{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256))}
			}
		}
		b := &blended{alpha: c.Alpha, pattern: make([]uint8, h*w*3)}
		for y := range h {
			for x := range w {
				copy(b.pattern[(y*w+x)*3:], k[y*cells/h][x*cells/w][:])
			}
		}
		return b, nil
	},
}

type blended struct {
	ready
	alpha   float64
	pattern []uint8
}

func (b *blended) Apply(dst, src []uint8, _ bool, _ *rand.Rand) {
	for i, v := range src {
		dst[i] = toByte((1-b.alpha)*float64(v) + b.alpha*float64(b.pattern[i]))
	}
}
