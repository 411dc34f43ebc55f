package engine

import (
	"unsafe"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// wideLine is how many bytes lie between the six rows of values of a row of tiles: a cache line more than they hold.
func wideLine(width, channels int) int { return 4 * apart(width, channels) }

// toWidePositions transforms rows of tiles of 4×4 pixels, from the first on, of widened images: down the columns, which
// neighbouring tiles share, and then along the rows.
func (p *convPlan) toWidePositions(w *worker, k *kernel.Set, x, to unsafe.Pointer, first, rows int) {
	line, pixel, th, width := p.pw*p.c*4, p.c*4, p.oh/4, p.ow+2
	between := wideLine(width, p.c)
	buf := unsafe.Pointer(&w.wide(6 * between / 4)[0])
	tiles := p.ow / 4
	position := 4 * apart(rows*tiles, p.c)
	x = unsafe.Add(x, p.phases[0].taps[0].In)
	a := &w.lines
	for r := range rows {
		y := first + r
		*a = kernel.LineArgs{
			Dst: buf, Src: unsafe.Add(x, y/th*p.ph*line+4*(y%th)*line),
			Tiles: 1, Groups: width * p.c / 16, DstStep: between, SrcStep: line,
		}
		k.WinogradLineIn(a)
		for i := range 6 {
			*a = kernel.LineArgs{
				Dst: unsafe.Add(to, 6*i*position+r*tiles*pixel), Src: unsafe.Add(buf, i*between),
				Tiles: tiles, Groups: p.c / 16, SrcNext: 3 * pixel, DstStep: position, SrcStep: pixel,
			}
			k.WinogradLineIn(a)
		}
	}
}

// fromWidePositions transforms rows of tiles back, from the first on, of all images: along the rows and then down the
// columns.
func (p *convPlan) fromWidePositions(w *worker, k *kernel.Set, out, from unsafe.Pointer, first, rows int) {
	line, pixel, tiles := p.ow*p.op*4, p.op*4, p.ow/4
	between := wideLine(p.ow, p.op)
	buf := unsafe.Pointer(&w.wide(6 * between / 4)[0])
	position := 4 * apart(rows*tiles, p.op)
	a := &w.lines
	for r := range rows {
		for i := range 6 {
			*a = kernel.LineArgs{
				Dst: unsafe.Add(buf, i*between), Src: unsafe.Add(from, 6*i*position+r*tiles*pixel),
				Tiles: tiles, Groups: p.op / 16, DstNext: 3 * pixel, DstStep: pixel, SrcStep: position,
			}
			k.WinogradLineOut(a)
		}
		*a = kernel.LineArgs{ // the rows of all images follow each other
			Dst: unsafe.Add(out, 4*(first+r)*line), Src: buf,
			Tiles: 1, Groups: p.ow * p.op / 16, DstStep: line, SrcStep: between,
		}
		k.WinogradLineOut(a)
	}
}

// winogradWeights holds G of F(2×2, 3×3) and of F(4×4, 3×3): rows of whole numbers and what they are multiplied by.
var winogradWeights = map[int]struct {
	g     [][3]int
	scale []float32
}{
	2: {[][3]int{{0: 1}, {1, 1, 1}, {1, -1, 1}, {2: 1}}, []float32{1, 0.5, 0.5, 1}},
	4: {
		[][3]int{{0: 1}, {1, 1, 1}, {1, -1, 1}, {1, 2, 4}, {1, -2, 4}, {2: 1}},
		[]float32{1. / 4, -1. / 6, -1. / 6, 1. / 24, 1. / 24, 1},
	},
}

// transformWeights makes [positions,C,O] of weights [9,C,O], a row a position: G g Gᵀ.
func transformWeights(n *Node) fn {
	size := n.Shape.rowSize()
	k := kernel.Active
	m := winogradWeights[n.Attr.(int)]
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		part := unsafe.Pointer(&w.float32s(size)[0])
		for r := range rows {
			i, j := (w.row+r)/len(m.g), (w.row+r)%len(m.g)
			a := &w.args
			*a = kernel.Args{Dst: unsafe.Add(out, r*size*4), Count: size / kernel.Group}
			for _, ky := range []int{0, 2, 1} { // the first is there with a plus
				for _, kx := range []int{0, 2, 1} {
					if factor := m.g[i][ky] * m.g[j][kx]; factor != 0 {
						addTap(w, k, a, unsafe.Add(in[0], (3*ky+kx)*size*4), part, factor)
					}
				}
			}
			w.coef[0] = m.scale[i] * m.scale[j]
			a.Coef = unsafe.Pointer(&w.coef[0])
			k.MulScalar(a)
		}
	}
}

// addTap adds factor times a tap to a.Dst; the product goes through part. The first tap stands as it is.
func addTap(w *worker, k *kernel.Set, a *kernel.Args, tap, part unsafe.Pointer, factor int) {
	if size := max(factor, -factor); size > 1 {
		dst, sum := a.Dst, a.Src0
		w.coef[0] = float32(size)
		a.Dst, a.Src0, a.Coef = part, tap, unsafe.Pointer(&w.coef[0])
		k.MulScalar(a)
		a.Dst, a.Src0, tap = dst, sum, part
	}
	if a.Src0 == nil {
		a.Src0 = tap
		return
	}
	if a.Src1 = tap; factor < 0 {
		k.Sub(a)
	} else {
		k.Add(a)
	}
	a.Src0 = a.Dst
}
