package engine

import (
	"fmt"
	"slices"
)

// class says how a node is executed.
type class uint8

const (
	classLeaf   class = iota // parameter or constant
	classView                // another name for bytes that exist
	classRow                 // row by row over its leading axis
	classReduce              // a sum over the leading axis of its row inputs
	classWhole               // at once, by one worker
)

// build chooses how n runs. An operation or type that the engine does not have is an error.
func build(n *Node) error {
	n.class = classWhole
	n.rowIn = make([]bool, len(n.In))
	rank := n.Shape.Rank()
	rows := func(in ...int) {
		if rank == 0 {
			return
		}
		n.class = classRow
		for _, i := range in {
			n.rowIn[i] = true
		}
	}
	elementwise := func() {
		if rank == 0 {
			return
		}
		n.class = classRow
		for i, in := range n.In {
			n.rowIn[i] = in.Shape.Size() == n.Shape.Size()
		}
	}
	ok := true
	switch op := n.Op; {
	case op == OpParam || op == OpConst:
		n.class = classLeaf
	case op == OpView:
		n.class = classView
	case op >= OpAbs && op <= OpIsNaN:
		n.fn, ok = unaryFn(n)
		elementwise()
	case op == OpConvert:
		n.fn = convertFn(n)
		elementwise()
	case op == OpCopy:
		n.fn = copyFn(n)
		elementwise()
	case op >= OpAdd && op <= OpGreaterEqual || op == OpReluGrad:
		n.fn, ok = binaryFn(n)
		elementwise()
	case op == OpRelu:
		n.fn = reluFn(n)
		elementwise()
	case op == OpWhere:
		n.fn = whereFn(n)
		elementwise()
	case op == OpBroadcast:
		n.fn = broadcastFn(n)
		axes := n.Attr.(BroadcastAttr).Axes
		rows()
		if rank > 0 && len(axes) > 0 && axes[0] == 0 {
			n.rowIn[0] = n.In[0].Shape.Dims[0] == n.Shape.Dims[0]
		}
	case op >= OpReduceSum && op <= OpReduceXor:
		n.fn, ok = reduceFn(n)
		if n.In[0].Shape.Rank() > 0 && !slices.Contains(n.Attr.([]int), 0) {
			rows(0)
		}
	case op == OpArgMinMax:
		n.fn, ok = argFn(n)
	case op == OpTranspose:
		n.fn = transposeFn(n)
		if p := n.Attr.([]int); len(p) > 0 && p[0] == 0 {
			rows(0)
		}
	case op == OpReverse:
		n.fn = reverseFn(n)
		if !slices.Contains(n.Attr.([]int), 0) {
			rows(0)
		}
	case op == OpSlice:
		n.fn = sliceFn(n)
		if rank > 0 && n.Shape.Dims[0] == n.In[0].Shape.Dims[0] {
			rows(0)
		}
	case op == OpPad:
		n.fn = padFn(n)
		if padKeepsRows(n) {
			rows(0)
		}
	case op == OpConcat:
		n.fn = concatFn(n)
		if n.Attr.(int) != 0 {
			elementwise()
			for i := range n.rowIn {
				n.rowIn[i] = true
			}
		}
	case op == OpDot:
		n.fn, ok = dotFn(n)
	case op == OpConv:
		n.fn, ok = convFn(n)
	case op == OpPool:
		n.fn, ok = poolFn(n)
		if poolKeepsRows(n) {
			rows(0)
		}
	case op == OpScatterPool:
		n.fn, ok = scatterPoolFn(n)
		if poolKeepsRows(n) {
			rows(0, 1)
		}
	case op == OpGather:
		n.fn = gatherFn(n)
	case op == OpScatter:
		n.fn, ok = scatterFn(n)
	case op == OpDynamicSlice:
		n.fn = dynamicSliceFn(n)
	case op == OpDynamicUpdate:
		n.fn = dynamicUpdateFn(n)
	case op == OpRandomBits:
		n.fn = randomBitsFn(n)
	case op == OpBatchNormStats:
		n.class, n.red = classReduce, batchNormStats(n)
		n.rowIn[0] = true
	case op == OpBatchNormGradSums:
		n.class, n.red = classReduce, batchNormGradSums(n)
		n.rowIn[0], n.rowIn[1] = true, true
	case op == OpWeightGrad:
		n.class, n.red = classReduce, weightGrad(n)
		n.rowIn[0], n.rowIn[1] = true, true
	case op == OpBatchNormCoef:
		n.fn = batchNormCoef(n)
	case op == OpBatchNormGradCoef:
		n.fn = batchNormGradCoef(n)
	case op == OpAffine || op == OpAffineRelu:
		n.fn = affineLike(n)
		rows(0)
	case op == OpAffine2 || op == OpAffineMask:
		n.fn = affineLike(n)
		rows(0, 1)
	case op == OpAffine2Add:
		n.fn = affineLike(n)
		rows(0, 1, 3)
	case op == OpPack:
		n.fn = packFn(n)
		rows()
	case op == OpTransform:
		n.fn = transformWeights(n)
		rows()
	case op == OpImageConv:
		n.fn = imageConv(n)
		rows(0)
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("the cpu engine has no %s on %s", n.Op, n.In[0].Shape)
	}
	return nil
}

// extent returns the number of rows that a row or reduce node loops over.
func (n *Node) extent() int {
	if n.class == classRow {
		return n.Shape.Dims[0]
	}
	return n.In[0].Shape.Dims[0]
}

// rowSource returns the node whose rows input i of n reads, if n and that node can share a loop.
func (n *Node) rowSource(i int) (*Node, bool) {
	if !n.rowIn[i] || n.class != classRow && n.class != classReduce {
		return nil, false
	}
	b, off := base(n.In[i])
	ok := off == 0 && b.class == classRow && b.extent() == n.extent() && b.Shape.Bytes() == n.In[i].Shape.Bytes()
	return b, ok
}

// cheap nodes are computed again where they are needed rather than kept: one pass over an input
// that is kept anyway.
func (n *Node) cheap() bool {
	switch n.Op {
	case OpAffine, OpAffineRelu, OpRelu:
		return true
	}
	return false
}
