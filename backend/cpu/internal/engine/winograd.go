package engine

import (
	"os"
	"unsafe"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// Winograd's F(2×2, 3×3) (Lavin and Gray, CVPR 2016): a 3×3 convolution with 16 instead of 36 multiplications for
// every 2×2 pixels. Tiles of pixels and kernels are transformed to 16 positions, at each of which the
// convolution is a matrix product over channels; results are transformed back. A strip of tiles stays in the
// cache meanwhile. Graphs without gradients take F(4×4, 3×3), with 36 instead of 144 multiplications for 4×4 pixels; its
// results are some digits further from the direct ones, so that trainings stay with the former.

// winograd says whether convolutions take this way where they can: the plain Go kernels are faster without, and
// UNPOISON_CONV=direct is for comparisons.
var winograd = kernel.Active.Winograd && os.Getenv("UNPOISON_CONV") != "direct"

// byWinograd reports whether a plan's convolution takes this way.
func (p *convPlan) byWinograd() bool {
	one := [2]int{1, 1}
	return winograd && p.kh == 3 && p.kw == 3 && p.inStep == one && p.outStep == one && p.rowStep == 1 && p.colStep == 1 &&
		p.c%16 == 0 && p.o%16 == 0 && p.oh%2 == 0 && p.ow%2 == 0 && len(p.phases) == 1 && len(p.phases[0].taps) == 9
}

// widenTiles takes F(4×4, 3×3) where tiles of 4×4 fill the image.
func (p *convPlan) widenTiles() {
	if p.wino > 0 && p.oh%4 == 0 && p.ow%4 == 0 && p.c*p.op <= mostWide {
		p.wino = 4
	}
}

// mostWide is of how many weights a tap F(4×4, 3×3) pays: of more, reading 36 positions takes longer than it saves.
const mostWide = 256 * 256

// positions is how many a tile has, or how many taps the kernel.
func (p *convPlan) positions() int {
	if p.wino == 0 {
		return p.kh * p.kw
	}
	return (p.wino + 2) * (p.wino + 2)
}

// apart returns the floats from one position to the next of so many tiles: a cache line more than they hold, since
// positions a multiple of 4 KB apart would drive each other out of the first-level cache.
func apart(tiles, channels int) int { return tiles*channels + 16 }

// strip returns how many rows of tiles make a strip of about so many tiles.
func (p *convPlan) strip(tiles int) int { return max(1, tiles/(p.ow/p.wino)) }

// pixelArgs fills a with the geometry of a row of tiles: y counts the rows of all images.
func (p *convPlan) pixelArgs(a *kernel.WinogradArgs, pixels, at unsafe.Pointer, row, y, channels, line, image, tiles int) (tile, position unsafe.Pointer) {
	th, c := p.oh/2, channels*4
	*a = kernel.WinogradArgs{Tiles: p.ow / 2, Groups: channels / 16, PixelsNext: c, Pixel: c, Row: line, Position: apart(tiles, channels) * 4}
	return unsafe.Add(pixels, y/th*image+2*(y%th)*line), unsafe.Add(at, row*p.ow/2*c)
}

// buffers returns room for a strip of tiles at the positions, with the input's channels and with the output's.
func (p *convPlan) buffers(w *worker, strip int) (in, out unsafe.Pointer) {
	size := strip * p.ow / p.wino
	first := p.positions() * apart(size, p.c)
	buf := w.atPositions(first + p.positions()*apart(size, p.op))
	return unsafe.Pointer(&buf[0]), unsafe.Pointer(&buf[first])
}

// toPositions transforms rows of tiles, from the first on, of widened images.
func (p *convPlan) toPositions(w *worker, k *kernel.Set, x, to unsafe.Pointer, first, rows int) {
	line := p.pw * p.c * 4
	x = unsafe.Add(x, p.phases[0].taps[0].In)
	for r := range rows {
		a := &w.transform
		a.Src, a.Dst = p.pixelArgs(a, x, to, r, first+r, p.c, line, p.ph*line, rows*p.ow/2)
		k.WinogradInput(a)
	}
}

// fromPositions transforms rows of tiles back, from the first on, of all images.
func (p *convPlan) fromPositions(w *worker, k *kernel.Set, out, from unsafe.Pointer, first, rows int) {
	line := p.ow * p.op * 4
	for r := range rows {
		a := &w.transform
		a.Dst, a.Src = p.pixelArgs(a, out, from, r, first+r, p.op, line, p.oh*line, rows*p.ow/2)
		k.WinogradOutput(a)
	}
}

// runWinograd convolves images whose margins are in place with transformed weights [positions,C,O].
func (p *convPlan) runWinograd(w *worker, k *kernel.Set, out, x, weights unsafe.Pointer, images int) {
	most := 16
	if p.c*p.op >= 64*64 { // the weights are read once a strip
		most = 32
	}
	to, from := p.toPositions, p.fromPositions
	if p.wino == 4 {
		to, from = p.toWidePositions, p.fromWidePositions
	}
	rows, strip := images*p.oh/p.wino, p.strip(most)
	v, m := p.buffers(w, strip)
	blocks := k.Blocks(p.op)
	for first := 0; first < rows; first += strip {
		n := min(strip, rows-first)
		tiles := n * p.ow / p.wino
		to(w, k, x, v, first, n)
		for co := 0; co < p.op; co += 16 * blocks {
			g := &w.product
			*g = kernel.ProductArgs{
				Out: unsafe.Add(m, co*4), In: v, Weight: unsafe.Add(weights, co*4), Positions: p.positions(),
				InRow: p.c * 4, OutRow: p.op * 4, WeightRow: p.op * 4, Channels: p.c,
			}
			k.Product(g, min(blocks, (p.op-co)/16), tiles, 4*apart(tiles, p.c), 4*apart(tiles, p.op))
		}
		from(w, k, out, m, first, n)
	}
}

// winogradWeightGrad sums a weight gradient at the positions, Σ (Bᵀ x B)ᵀ · (A v Aᵀ) over tiles and images, and
// transforms the sum: Gᵀ · G.
func winogradWeightGrad(p *convPlan) *reduction {
	k := kernel.Active
	var cells []gradTile
	cover(func(t gradTile) { cells = append(cells, t) }, k.Tiles(), 0, 0, 1, 0, p.c, 0, p.op/16)
	matrix := p.c * p.op
	return &reduction{
		bytes: p.positions() * matrix * 4,
		split: p.c,
		add: func(w *worker, part unsafe.Pointer, in []unsafe.Pointer, images int) {
			x := p.widenAll(w, in[0], images)
			rows, strip := images*p.oh/2, p.strip(64)
			v, e := p.buffers(w, strip)
			line := p.ow * p.op * 4
			for first := 0; first < rows; first += strip {
				n := min(strip, rows-first)
				tiles := n * p.ow / 2
				p.toPositions(w, k, x, v, first, n)
				for r := range n {
					a := &w.transform
					a.Src, a.Dst = p.pixelArgs(a, in[1], e, r, first+r, p.op, line, p.oh*line, tiles)
					k.WinogradGrad(a)
				}
				for pos := range p.positions() {
					for i := range cells {
						t, a := &cells[i], &w.grad
						*a = kernel.WeightGradArgs{
							DW: unsafe.Add(part, (pos*matrix+t.ci*p.op+t.co)*4),
							X:  unsafe.Add(v, (pos*apart(tiles, p.c)+t.ci)*4), DY: unsafe.Add(e, (pos*apart(tiles, p.op)+t.co)*4),
							Rows: 1, Cols: tiles, XPix: p.c * 4, DYPix: p.op * 4, DWInput: p.op * 4,
						}
						t.Run(a)
					}
				}
			}
		},
		join: func(w *worker, out, parts unsafe.Pointer, count, lo, hi int) {
			for pos := range p.positions() {
				sumParts(w, unsafe.Add(parts, pos*matrix*4), count, p.positions()*matrix, lo*p.op, hi*p.op)
			}
			for at := lo * p.op; at < hi*p.op; at += 16 {
				var m [16]*[16]float32
				for pos := range p.positions() {
					m[pos] = (*[16]float32)(unsafe.Add(parts, (pos*matrix+at)*4))
				}
				p.untransform(&m, unsafe.Add(out, (at/p.op*p.o+at%p.op)*4))
			}
		},
	}
}

// untransform writes Gᵀ m G, 3×3 taps of 16 outputs each.
func (p *convPlan) untransform(m *[16]*[16]float32, out unsafe.Pointer) {
	var t [3][4][16]float32
	for j := range 4 {
		for i := range 16 {
			sum, diff := (m[4+j][i]+m[8+j][i])/2, (m[4+j][i]-m[8+j][i])/2
			t[0][j][i], t[1][j][i], t[2][j][i] = m[j][i]+sum, diff, sum+m[12+j][i]
		}
	}
	for ky := range 3 {
		rows := [3]*[16]float32{}
		for kx := range rows {
			rows[kx] = (*[16]float32)(unsafe.Add(out, (3*ky+kx)*p.c*p.o*4))
		}
		for i := range 16 {
			sum, diff := (t[ky][1][i]+t[ky][2][i])/2, (t[ky][1][i]-t[ky][2][i])/2
			rows[0][i], rows[1][i], rows[2][i] = t[ky][0][i]+sum, diff, sum+t[ky][3][i]
		}
	}
}
