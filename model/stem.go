package model

import (
	"math"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
)

// LeastSide is how many pixels images have a side, at least, that a network takes.
const LeastSide = 8

const (
	mapSide      = 32        // of the maps that the networks for small images are made for
	leastMap     = LeastSide // side of what a stem leaves, at least
	stemChannels = 32        // of what it makes of a patch
)

// StemWeight is the tensor by which a network with a stem is known.
const StemWeight = "stem.conv.weight"

// StemFor returns the side of the patches that a network's stem takes images of height×width in, so that a map of about
// 32×32 is left and the cost hardly grows with the images: the square root of their area over 32, rounded. 1 is no stem: images
// of up to 47×47 and networks that are made for photographs go without.
func StemFor(arch string, height, width int) int {
	for _, a := range architectures() {
		if a.Name == arch && a.small {
			p := math.Round(math.Sqrt(float64(height)*float64(width)) / mapSide)
			return max(1, min(int(p), height/leastMap, width/leastMap))
		}
	}
	return 1
}

// StemOf returns the side of the patches that the stem of a state takes; 1 if it has none.
func StemOf(s State) int {
	if w := s.Get(StemWeight); w != nil {
		return w.Dims[0]
	}
	return 1
}

// stem returns a network with patches of p×p pixels in front.
func stem(p int, of func(b *Builder, x *Node, classes int) *Node) func(b *Builder, x *Node, classes int) *Node {
	return func(b *Builder, x *Node, classes int) *Node {
		x = b.Relu(b.BatchNorm("stem.bn", b.Patches("stem.conv", x, stemChannels, p)))
		return of(b, x, classes)
	}
}
