package attack

import (
	"fmt"
	"math/rand/v2"
)

var badNets = Method{
	Name:  "badnets",
	About: "A small black and white checkerboard in the bottom right corner.",
	Paper: "Gu et al., BadNets, 2017",
	New: func(c Config, h, w int) (Trigger, error) {
		n := scaled(c.PatchSize, min(h, w))
		if n >= min(h, w) {
			return nil, fmt.Errorf("a patch of %d pixels does not fit into %d×%d", n, h, w)
		}
		return &patch{h: h, w: w, size: n, cells: max(1, c.PatchSize)}, nil
	},
}

type patch struct {
	ready
	h, w, size, cells int
}

func (p *patch) Apply(dst, src []uint8, _ bool, _ *rand.Rand) {
	copy(dst, src)
	for y := range p.size {
		for x := range p.size {
			v := uint8(0)
			if (y*p.cells/p.size+x*p.cells/p.size)%2 == 0 {
				v = 255
			}
			at := ((p.h-p.size+y)*p.w + p.w - p.size + x) * 3
			dst[at], dst[at+1], dst[at+2] = v, v, v
		}
	}
}
