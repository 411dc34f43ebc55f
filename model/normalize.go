package model

import (
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
)

// Normalize is what is taken from each colour, red, green and blue from 0 to 1, and what the rest is divided by.
type Normalize struct{ Mean, Std [3]float32 }

// Of normalises images x, [N,H,W,3] of 0 to 1.
func (n Normalize) Of(x *Node) *Node {
	x = Sub(x, Const(x.Graph(), [][][][]float32{{{n.Mean[:]}}}))
	return Div(x, Const(x.Graph(), [][][][]float32{{{n.Std[:]}}}))
}
