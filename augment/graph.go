package augment

import (
	"math/rand/v2"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// cropNumbers describe a crop, patchNumbers a patch.
const cropNumbers, patchNumbers = 7, 7

// Numbers returns how many numbers hold what is drawn for one image: Draw writes them, Graph reads them.
func (o Options) Numbers(h, w int) int {
	if !o.Coarse {
		return cropNumbers
	}
	return 6 + o.taps(h, w) + 2*3 + 2*patchNumbers
}

// taps is the width of the widest blur.
func (o Options) taps(h, w int) int { return 2*reach(side(h, w)*coarseBlurTo) + 1 }

// Draw draws for one image what Apply would, and writes it as Numbers numbers. The zero Options need no stream.
func (o Options) Draw(row []float32, h, w int, r *rand.Rand) {
	put := func(values ...float32) { row = row[copy(row, values):] }
	if !o.Coarse {
		c := o.draw(h, w, r)
		flip := float32(0)
		if c.flip {
			flip = 1
		}
		put(float32(c.dy), float32(c.dx), flip, float32(c.top), float32(c.left), float32(c.bottom), float32(c.right))
		return
	}
	c := drawCoarse(h, w, o.Flip, r)
	for _, v := range c.affine {
		put(float32(v))
	}
	kernel := gaussian(c.deviation)
	beside := make([]float32, (o.taps(h, w)-len(kernel))/2)
	put(beside...)
	put(kernel...)
	put(beside...)
	put(c.gain[:]...)
	put(c.shift[:]...)
	for _, p := range c.holes {
		put(float32(p.top), float32(p.left), float32(p.top+p.h), float32(p.left+p.w))
		put(p.colour[:]...)
	}
}

// Graph does to a batch what Apply does to an image. pixels are those of a whole set, [images·h·w, 3] (uint8), image the
// batch's places among them, [N] (int32), drawn what Draw wrote, [N, Numbers]. It returns [N,h,w,3], from 0 to 1. It
// depends on Coarse alone: what else is asked for is in the numbers.
func (o Options) Graph(pixels, image, drawn *Node, h, w int) *Node {
	l := newLayer(pixels, image, drawn, h, w)
	if o.Coarse {
		return l.coarse(o.taps(h, w))
	}
	return l.crop()
}

// Plainly is Plain in a graph.
func Plainly(x *Node) *Node {
	return Div(ConvertDType(x, dtypes.Float32), Scalar(x.Graph(), dtypes.Float32, 255))
}

// layer lays the operations on a batch. Numbers of images are read in turn.
type layer struct {
	g                    *Graph
	pixels, image, drawn *Node
	n, h, w, read        int
	y, x                 *Node // each pixel's place, [N,h,w]
}

func newLayer(pixels, image, drawn *Node, h, w int) *layer {
	l := &layer{g: pixels.Graph(), pixels: pixels, image: image, drawn: drawn, n: image.Shape().Dim(0), h: h, w: w}
	s := shapes.Make(dtypes.Float32, l.n, h, w)
	l.y, l.x = Iota(l.g, s, 1), Iota(l.g, s, 2)
	return l
}

// number is each image's next number, at each of its pixels: [N,h,w].
func (l *layer) number() *Node {
	own := SliceAxis(l.drawn, 1, AxisRange(l.read, l.read+1))
	l.read++
	return BroadcastToDims(Reshape(own, l.n, 1, 1), l.n, l.h, l.w)
}

// colour is each image's next three numbers, at each of its pixels: [N,h,w,3].
func (l *layer) colour() *Node {
	own := SliceAxis(l.drawn, 1, AxisRange(l.read, l.read+3))
	l.read += 3
	return BroadcastToDims(Reshape(own, l.n, 1, 1, 3), l.n, l.h, l.w, 3)
}

// each repeats a value of each pixel for its three colours.
func (l *layer) each(x *Node) *Node {
	return BroadcastToDims(Reshape(x, l.n, l.h, l.w, 1), l.n, l.h, l.w, 3)
}

// at returns the images' colours at whole places, which must lie within.
func (l *layer) at(y, x *Node) *Node {
	first := MulScalar(l.image, float64(l.h*l.w))
	first = BroadcastToDims(Reshape(first, l.n, 1, 1), l.n, l.h, l.w)
	row := Add(first, ConvertDType(Add(MulScalar(y, float64(l.w)), x), dtypes.Int32))
	found := Gather(l.pixels, Reshape(row, -1, 1))
	return Plainly(Reshape(found, l.n, l.h, l.w, 3))
}

// within is 1 at the pixels of each image's next rectangle: top, left, bottom, right.
func (l *layer) within() *Node {
	top, left, bottom, right := l.number(), l.number(), l.number(), l.number()
	rows := LogicalAnd(GreaterOrEqual(l.y, top), LessThan(l.y, bottom))
	columns := LogicalAnd(GreaterOrEqual(l.x, left), LessThan(l.x, right))
	return l.each(ConvertDType(LogicalAnd(rows, columns), dtypes.Float32))
}

func (l *layer) crop() *Node {
	dy, dx, flip := l.number(), l.number(), l.number()
	mirrored := Add(l.x, Mul(flip, AddScalar(MulScalar(l.x, -2), float64(l.w-1))))
	y, x := Add(l.y, dy), Add(mirrored, dx)
	inY, inX := ClipScalar(y, 0, float64(l.h-1)), ClipScalar(x, 0, float64(l.w-1))
	inside := l.each(ConvertDType(LogicalAnd(Equal(y, inY), Equal(x, inX)), dtypes.Float32))
	return Mul(Mul(l.at(inY, inX), inside), OneMinus(l.within()))
}

func (l *layer) coarse(taps int) *Node {
	var m [6]*Node
	for k := range m {
		m[k] = l.number()
	}
	x := l.warp(m)
	x = l.blur(x, taps)
	gain, shift := l.colour(), l.colour()
	x = ClipScalar(Add(Mul(x, gain), shift), 0, 1)
	for range 2 {
		in, colour := l.within(), l.colour()
		x = Add(Mul(x, OneMinus(in)), Mul(colour, in))
	}
	return x
}

// warp is the function warp.
func (l *layer) warp(m [6]*Node) *Node {
	cy, cx := float64(l.h-1)/2, float64(l.w-1)/2
	u, v := AddScalar(l.x, -cx), AddScalar(l.y, -cy)
	from := func(a, b, c *Node, centre float64) (lower, upper, share *Node) {
		place := AddScalar(Add(Add(Mul(a, u), Mul(b, v)), c), centre)
		place = ClipScalar(place, 0, 2*centre)
		lower = Floor(place)
		return lower, MinScalar(AddScalar(lower, 1), 2*centre), l.each(Sub(place, lower))
	}
	x0, x1, fx := from(m[0], m[1], m[2], cx)
	y0, y1, fy := from(m[3], m[4], m[5], cy)
	between := func(a, b, share *Node) *Node { return Add(a, Mul(share, Sub(b, a))) }
	return between(between(l.at(y0, x0), l.at(y0, x1), fx), between(l.at(y1, x0), l.at(y1, x1), fx), fy)
}

// blur is the function Blur with each image's next numbers as weights: along rows, then along columns.
func (l *layer) blur(x *Node, taps int) *Node {
	weights := make([]*Node, taps)
	for k := range weights {
		weights[k] = l.each(l.number())
	}
	return smooth(smooth(x, 2, weights), 1, weights)
}

// smooth is the weighted sum of a pixel's neighbours along an axis, the edge's colour going on beyond it.
func smooth(x *Node, axis int, weights []*Node) *Node {
	size, reach := x.Shape().Dim(axis), len(weights)/2
	var wide []*Node
	for k := -reach; k < size+reach; k++ {
		if k == 0 {
			wide = append(wide, x)
		}
		if k < 0 || k >= size {
			edge := min(max(k, 0), size-1)
			wide = append(wide, SliceAxis(x, axis, AxisRange(edge, edge+1)))
		}
	}
	padded := Concatenate(wide, axis)
	var sum *Node
	for k, weight := range weights {
		part := Mul(weight, SliceAxis(padded, axis, AxisRange(k, k+size)))
		if sum == nil {
			sum = part
		} else {
			sum = Add(sum, part)
		}
	}
	return sum
}
