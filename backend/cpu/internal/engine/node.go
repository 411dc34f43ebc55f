// Package engine compiles a graph of tensor operations into a fixed sequence of loops over the
// leading (batch) axis and runs it on a fixed set of workers.
//
// The way of a graph: nodes are captured ([Graph.Add]), rewritten by small passes (pass_*.go),
// cut into stages (schedule.go), given memory (plan.go) and executed (run.go).
//
// The idea that makes it fast: almost everything in a network works image by image. A stage is one
// loop over images in which all its operations run in turn on the same image, so that what they
// hand to each other stays in the second-level cache. Only sums over the batch (batch-norm
// statistics, weight gradients) end a stage.
package engine

import "fmt"

// Op names what a node computes.
type Op uint8

// Operations as captured, then (after opFused) those that only passes make.
const (
	OpInvalid Op = iota
	OpParam
	OpConst
	OpView // the same bytes under another shape or type; Attr: offset in elements (int)

	OpAbs
	OpNeg
	OpExp
	OpExpm1
	OpLog
	OpLog1p
	OpSqrt
	OpRsqrt
	OpSin
	OpCos
	OpTanh
	OpLogistic
	OpErf
	OpSign
	OpFloor
	OpCeil
	OpRound
	OpNot // logical for bool, bitwise for integers
	OpBitCount
	OpLeadingZeros
	OpIsFinite
	OpIsNaN
	OpConvert

	OpAdd
	OpSub
	OpMul
	OpDiv
	OpMax
	OpMin
	OpPow
	OpRem
	OpAnd
	OpOr
	OpXor
	OpShiftLeft
	OpShiftRight // arithmetic for signed, logical for unsigned

	OpEqual
	OpNotEqual
	OpLess
	OpLessEqual
	OpGreater
	OpGreaterEqual

	OpWhere
	OpBroadcast // Attr: broadcastAttr
	OpReduceSum // Attr: axes []int, also for the next
	OpReduceMax
	OpReduceMin
	OpReduceProd
	OpReduceAnd // logical for bool, bitwise for integers, and the next two
	OpReduceOr
	OpReduceXor
	OpArgMinMax // Attr: argAttr
	OpTranspose // Attr: permutation []int
	OpReverse   // Attr: axes []int
	OpSlice     // Attr: sliceAttr
	OpPad       // Attr: []PadAxis; inputs x, fill
	OpConcat    // Attr: axis int
	OpDot       // Attr: *DotAttr
	OpConv      // Attr: *ConvAttr
	OpPool      // Attr: *WindowAttr
	OpScatterPool
	OpGather
	OpScatter
	OpDynamicSlice
	OpDynamicUpdate
	OpRandomBits
	OpCopy

	OpBatchNormStats    // x → [2,C] mean, biased variance; Attr: feature axis
	OpBatchNormCoef     // scale, offset, mean, variance → [2,C]; Attr: epsilon
	OpAffine            // x, coef → c0·x+c1 along the last axis
	OpBatchNormGradSums // v, x, mean, variance → [2,C] Σv, Σv·x̂; Attr: epsilon
	OpBatchNormGradCoef // sums, scale, mean, variance → [3,C]; Attr: gradCoefAttr
	OpAffine2           // v, x, coef → c0·v+c1·x+c2

	opFused
	OpRelu
	OpReluGrad   // v, x
	OpAffineRelu // x, coef
	OpAffineMask // v, x, coef: v where c0·x+c1 ≥ 0
	OpAffine2Add // v, x, coef, r: c0·v+c1·x+c2+r
	OpPack       // a kernel → [taps, in, out padded to 16]; Attr: *packAttr
	OpTransform  // packed weights [9,C,O] → [positions,C,O] of Winograd's; Attr: side of a tile, 2 or 4
	OpImageConv  // x [N,H,W,C], packed → [N,OH,OW,O]; Attr: *convPlan
	OpWeightGrad // x, v → [KH,KW,C,O]; Attr: *convPlan
	opLast
)

//go:generate go run golang.org/x/tools/cmd/stringer@v0.47.0 -type=Op -trimprefix=Op -output=op_string.go

// Node is one operation. Nodes form a graph in topological order: inputs come before users.
type Node struct {
	ID    int
	Op    Op
	Shape Shape
	In    []*Node
	Attr  any
	Name  string // of a parameter

	place place
	fn    fn
	red   *reduction
	class class
	rowIn []bool
	level int
}

func (n *Node) String() string {
	s := fmt.Sprintf("%%%d %s %s", n.ID, n.Op, n.Shape)
	for _, in := range n.In {
		s += fmt.Sprintf(" %%%d", in.ID)
	}
	return s
}

// Graph collects nodes. It is not for concurrent use.
type Graph struct {
	nodes  []*Node
	params []*Node
	consts map[*Node][]byte

	forward bool // no convolution is a gradient; set by rewrite
}

// NewGraph returns an empty graph.
func NewGraph() *Graph { return &Graph{consts: map[*Node][]byte{}} }

// Add appends a node.
func (g *Graph) Add(op Op, s Shape, attr any, in ...*Node) *Node {
	n := &Node{ID: len(g.nodes), Op: op, Shape: s, In: in, Attr: attr}
	g.nodes = append(g.nodes, n)
	return n
}

// Param appends an input of the program, in order.
func (g *Graph) Param(name string, s Shape) *Node {
	n := g.Add(OpParam, s, nil)
	n.Name = name
	g.params = append(g.params, n)
	return n
}

// Const appends a constant; data holds its elements in native byte order and is kept.
func (g *Graph) Const(s Shape, data []byte) *Node {
	n := g.Add(OpConst, s, nil)
	g.consts[n] = data
	return n
}

// View appends the same elements under another shape, from offset elements (of the view's type) on.
func (g *Graph) View(x *Node, s Shape, offset int) *Node { return g.Add(OpView, s, offset, x) }

// PadAxis is the padding of one axis: before, after and between elements.
type PadAxis struct{ Start, End, Interior int }

// BroadcastAttr maps input axes to output axes.
type BroadcastAttr struct{ Axes []int }

// SliceAttr selects start ≤ i < limit in steps.
type SliceAttr struct{ Starts, Strides []int }

// ArgAttr is the axis of an arg-min or arg-max.
type ArgAttr struct {
	Axis int
	Min  bool
}

// DotAttr lists contracted and batch axes of the two sides.
type DotAttr struct{ LContract, LBatch, RContract, RBatch []int }

// ConvAttr describes a general convolution, as XLA does: any axis order, strides, paddings
// (negative crops) and dilations of input and kernel; missing lists mean 1 and 0.
type ConvAttr struct {
	InBatch, InChannel               int
	InSpatial                        []int
	KernelIn, KernelOut              int
	KernelSpatial                    []int
	OutBatch, OutChannel             int
	OutSpatial                       []int
	Strides, InDilation, KerDilation []int
	Pads                             [][2]int
	ChannelGroups, BatchGroups       int
	ReverseKernel                    bool // set by a pass: spatial axes run backwards
}

// WindowAttr describes a reduction over windows (Reduce is one of the OpReduce…) or its
// select-and-scatter gradient.
type WindowAttr struct {
	Reduce                           Op
	Window, Strides, BaseDil, WinDil []int
	Pads                             [][2]int
	Min                              bool
}

// GatherAttr holds XLA's gather and scatter dimensions.
type GatherAttr struct {
	IndexVectorAxis                 int
	OffsetAxes, Collapsed, IndexMap []int
	SliceSizes                      []int
	Combine                         Op // scatter: OpAdd, OpMax, OpMin
}

// GradCoefAttr belongs to OpBatchNormGradCoef.
type GradCoefAttr struct {
	Epsilon float64
	Count   int // elements a channel
}
