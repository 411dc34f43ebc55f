package engine

import (
	"slices"
	"unsafe"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// Direct convolution of [N,H,W,C] images. One driver serves forward convolutions of any stride and
// their input gradients: a gradient through stride s is s×s ordinary convolutions ("phases"), each
// with the taps that fall on its pixels and writing every s-th pixel.

// convPlan is the geometry of OpImageConv and OpWeightGrad.
type convPlan struct {
	h, w, c      int // input
	oh, ow, o    int // output
	op           int // output channels rounded up to a multiple of 16
	kh, kw       int
	inStep       [2]int // stride
	outStep      [2]int // input dilation
	padT, padL   int    // margin before the copied input
	ph, pw       int    // size of the input with margins; equal to h, w if none is needed
	copies       bool
	phases       []phase
	baseY, baseX int // where the first kernel row and column lie in the widened input
	colStep      int // input columns from one kernel column to the next (weight gradient)
	rowStep      int
	wino         int // the side of Winograd's tiles, 2 or 4; 0: directly; see winograd.go
}

type phase struct {
	y, x, ny, nx int // first output pixel and count
	taps         []kernel.Tap
}

// newConvPlan lays out a two-dimensional convolution with stride, paddings, input and kernel
// dilation. At most one of stride and input dilation may exceed 1 an axis. Taps that only ever meet
// the margin are left out unless every is set.
func newConvPlan(in, out [3]int, kh, kw int, stride, inDil, kerDil, pads [2]int, every bool) *convPlan {
	p := &convPlan{
		h: in[0], w: in[1], c: in[2], oh: out[0], ow: out[1], o: out[2], op: (out[2] + 15) &^ 15,
		kh: kh, kw: kw, inStep: stride, outStep: inDil, rowStep: kerDil[0], colStep: kerDil[1],
	}
	type tap struct{ y, x, w int }
	var phases [][]tap
	minY, minX, maxY, maxX := 0, 0, 0, 0
	for ry := range inDil[0] {
		for rx := range inDil[1] {
			ph := phase{y: ry, x: rx, ny: (out[0] - ry + inDil[0] - 1) / inDil[0], nx: (out[1] - rx + inDil[1] - 1) / inDil[1]}
			if ph.ny <= 0 || ph.nx <= 0 {
				continue
			}
			var taps []tap
			for ky := range kh {
				sy := ry + ky*kerDil[0] - pads[0]
				if mod(sy, inDil[0]) != 0 {
					continue
				}
				for kx := range kw {
					sx := rx + kx*kerDil[1] - pads[1]
					if mod(sx, inDil[1]) != 0 {
						continue
					}
					t := tap{floorDiv(sy, inDil[0]), floorDiv(sx, inDil[1]), ky*kw + kx}
					lastY, lastX := t.y+(ph.ny-1)*stride[0], t.x+(ph.nx-1)*stride[1]
					// A tap that never meets the input would only widen the margins.
					if !every && (lastY < 0 || t.y >= p.h || lastX < 0 || t.x >= p.w) {
						continue
					}
					minY, minX = min(minY, t.y), min(minX, t.x)
					maxY, maxX = max(maxY, lastY), max(maxX, lastX)
					taps = append(taps, t)
				}
			}
			p.phases = append(p.phases, ph)
			phases = append(phases, taps)
		}
	}
	p.padT, p.padL = -minY, -minX
	p.baseY, p.baseX = p.padT-pads[0], p.padL-pads[1]
	p.ph, p.pw = p.h, p.w
	if minY < 0 || minX < 0 || maxY >= p.h || maxX >= p.w {
		p.copies = true
		p.ph, p.pw = maxY+p.padT+1, maxX+p.padL+1
	}
	for i, taps := range phases {
		for _, t := range taps {
			p.phases[i].taps = append(p.phases[i].taps, kernel.Tap{
				In:     ((t.y+p.padT)*p.pw + t.x + p.padL) * p.c * 4,
				Weight: t.w * p.c * p.op * 4,
			})
		}
	}
	if p.byWinograd() {
		p.wino = 2
	}
	return p
}

func mod(a, b int) int { return ((a % b) + b) % b }

func floorDiv(a, b int) int { return (a - mod(a, b)) / b }

// images returns how many images a worker should take at a time, so that weights that are larger
// than the images are read once for several of them, as far as these fit into the second-level cache.
func (p *convPlan) images() int {
	if p.wino > 0 {
		return max(1, 64/(p.oh*p.ow/(p.wino*p.wino))) // so many tiles share the weights
	}
	weights, image := p.kh*p.kw*p.c*p.op*4, (p.ph*p.pw*p.c+p.oh*p.ow*p.op)*4
	return max(1, min(weights/(4*image), cacheBytes/image))
}

// widenAll copies images between zero margins and returns the copies, or the images if none is needed.
func (p *convPlan) widenAll(w *worker, x unsafe.Pointer, images int) unsafe.Pointer {
	if !p.copies {
		return x
	}
	size := p.ph * p.pw * p.c
	buf := w.float32s(images*size + 3) // a tile of four channels may read three more
	for i := range images {
		p.widen(unsafe.Add(x, i*p.h*p.w*p.c*4), buf[i*size:(i+1)*size])
	}
	return unsafe.Pointer(&buf[0])
}

// widen copies an image between zero margins.
func (p *convPlan) widen(x unsafe.Pointer, buf []float32) {
	src := slice[float32](x, p.h*p.w*p.c)
	rows := min(p.h, p.ph-p.padT)
	cols := min(p.w, p.pw-p.padL)
	line := p.pw * p.c
	clear(buf[:p.padT*line])
	left, mid := p.padL*p.c, cols*p.c
	for y := range rows {
		d := buf[(p.padT+y)*line:][:line]
		clear(d[:left])
		copy(d[left:left+mid], src[y*p.w*p.c:])
		clear(d[left+mid:])
	}
	clear(buf[(p.padT+rows)*line : p.ph*line])
}

// imageConv computes whole images: out [rows,OH,OW,O] from x and packed weights [taps,C,OP].
func imageConv(n *Node) fn {
	p := n.Attr.(*convPlan)
	k := kernel.Active
	pointwise := p.kh == 1 && p.kw == 1 && !p.copies && p.inStep == [2]int{1, 1} && p.outStep == [2]int{1, 1} && p.o == p.op
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		if pointwise {
			p.run(w, k, out, in[0], in[1], 1, rows*p.oh*p.ow)
			return
		}
		images := p.widenAll(w, in[0], rows)
		if p.wino > 0 {
			p.runWinograd(w, k, out, images, in[1], rows)
			return
		}
		if p.o == p.op {
			p.run(w, k, out, images, in[1], rows, p.ow)
			return
		}
		wide := w.wide(rows * p.oh * p.ow * p.op)
		p.run(w, k, unsafe.Pointer(&wide[0]), images, in[1], rows, p.ow)
		d := slice[float32](out, rows*p.oh*p.ow*p.o)
		for q := range rows * p.oh * p.ow {
			copy(d[q*p.o:(q+1)*p.o], wide[q*p.op:])
		}
	}
}

// run convolves images whose margins are in place, writing op channels a pixel. A block of output
// channels goes over all images before the next, so that its weights are read from memory once. A
// pointwise convolution takes all images as one row of ow pixels.
func (p *convPlan) run(w *worker, k *kernel.Set, out, x, weights unsafe.Pointer, images, ow int) {
	a := &w.conv
	pix, line := p.op*4, p.op*4*p.ow
	inImage, outImage := p.ph*p.pw*p.c*4, p.oh*line
	blocks := k.Blocks(p.op)
	for i := range p.phases {
		ph := &p.phases[i]
		ny, nx := ph.ny, ph.nx
		if ow > p.ow {
			ny, nx = 1, ow
		}
		if len(ph.taps) == 0 {
			for y := range images * ny {
				at := unsafe.Add(out, y/ny*outImage+(ph.y+y%ny*p.outStep[0])*line)
				for xx := range nx {
					clear(slice[float32](unsafe.Add(at, (ph.x+xx*p.outStep[1])*pix), p.op))
				}
			}
			continue
		}
		for co := 0; co < p.op; co += 16 * blocks {
			b := min(blocks, (p.op-co)/16)
			for y := range images * ny {
				a.Out = unsafe.Add(out, y/ny*outImage+(ph.y+y%ny*p.outStep[0])*line+ph.x*pix+co*4)
				a.In = unsafe.Add(x, y/ny*inImage+y%ny*p.inStep[0]*p.pw*p.c*4)
				a.Weight = unsafe.Add(weights, co*4)
				a.Taps, a.Taps2 = &ph.taps[0], 2*len(ph.taps)
				a.InPix, a.OutPix, a.WeightRow = p.inStep[1]*p.c*4, p.outStep[1]*pix, p.op*4
				a.Accumulate, a.InChannels = 0, p.c
				k.Conv(a, b, nx)
			}
		}
	}
}

// packAttr describes how a kernel tensor becomes [taps, in, out rounded up to 16].
type packAttr struct {
	kh, kw, in, out   int
	sy, sx, sIn, sOut int // strides of the kernel tensor
	reverse           bool
}

func packFn(n *Node) fn {
	a := n.Attr.(*packAttr)
	op := n.Shape.Dims[2]
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		src := slice[float32](in[0], n.In[0].Shape.Size())
		for r := range rows {
			tap := w.row + r
			ky, kx := tap/a.kw, tap%a.kw
			if a.reverse {
				ky, kx = a.kh-1-ky, a.kw-1-kx
			}
			base := ky*a.sy + kx*a.sx
			dst := slice[float32](unsafe.Add(out, r*a.in*op*4), a.in*op)
			for i := range a.in {
				d := dst[i*op : (i+1)*op]
				at := base + i*a.sIn
				if a.sOut == 1 {
					copy(d, src[at:at+a.out])
				} else {
					for o := range a.out {
						d[o] = src[at+o*a.sOut]
					}
				}
				clear(d[a.out:])
			}
		}
	}
}

// weightGrad sums x ⊗ v over pixels and images: x [N,H,W,C], v [N,OH,OW,O] → [KH,KW,C,O].
func weightGrad(n *Node) *reduction {
	p := n.Attr.(*convPlan)
	if p.wino > 0 {
		return winogradWeightGrad(p)
	}
	tiles := p.tile(kernel.Active)
	for _, t := range tiles { // one that reads past the last channel must not read past the images
		p.copies = p.copies || t.keep > 0 && t.skip == 0
	}
	size := p.kh * p.kw * p.c * p.op
	return &reduction{
		bytes: size * 4,
		split: p.kh * p.kw * p.c,
		add: func(w *worker, part unsafe.Pointer, in []unsafe.Pointer, rows int) {
			v := in[1]
			if p.o != p.op {
				wide := w.wide(rows * p.oh * p.ow * p.op)
				src := slice[float32](v, rows*p.oh*p.ow*p.o)
				for q := range rows * p.oh * p.ow {
					copy(wide[q*p.op:], src[q*p.o:(q+1)*p.o])
					clear(wide[q*p.op+p.o : (q+1)*p.op])
				}
				v = unsafe.Pointer(&wide[0])
			}
			p.addTiles(w, tiles, part, p.widenAll(w, in[0], rows), v, rows)
		},
		join: func(w *worker, out, parts unsafe.Pointer, count, lo, hi int) {
			sumParts(w, parts, count, size, lo*p.op, hi*p.op)
			for r := lo; r < hi; r++ {
				copy(slice[float32](unsafe.Add(out, r*p.o*4), p.o), slice[float32](unsafe.Add(parts, r*p.op*4), p.o))
			}
		},
	}
}

// gradTile is a place of a weight-gradient kernel. One that is wider than what is left, keep channels after skip, lies
// over those before.
type gradTile struct {
	kernel.Tile
	ky, kx, ci, co int
	skip, keep     int // keep 0: all
}

// cover fills kernel columns × input channels × blocks of 16 output channels with tiles. Channels that 16 divides go
// by 16, for which all sets have tiles.
func cover(add func(gradTile), tiles []kernel.Tile, ky, kx, cols, ci, channels, co, blocks int) {
	if cols <= 0 || channels <= 0 || blocks <= 0 {
		return
	}
	if channels > 16 && channels%16 == 0 {
		for c := 0; c < channels; c += 16 {
			cover(add, tiles, ky, kx, cols, ci+c, 16, co, blocks)
		}
		return
	}
	size := func(t kernel.Tile) int { return t.Cols * t.Channels * t.Blocks }
	best := slices.MinFunc(tiles, func(a, b kernel.Tile) int { return size(a) - size(b) })
	for _, t := range tiles {
		if t.Cols <= cols && t.Channels <= channels && t.Blocks <= blocks && size(t) > size(best) {
			best = t
		}
	}
	t := gradTile{Tile: best, ky: ky, kx: kx, ci: ci, co: co}
	if best.Channels > channels {
		t.keep, t.skip = channels, min(ci, best.Channels-channels)
		t.ci -= t.skip
	}
	add(t)
	cover(add, tiles, ky, kx, best.Cols, ci, min(best.Channels, channels), co+16*best.Blocks, blocks-best.Blocks)
	cover(add, tiles, ky, kx, best.Cols, ci+best.Channels, channels-best.Channels, co, blocks)
	cover(add, tiles, ky, kx+best.Cols, cols-best.Cols, ci, channels, co, blocks)
}

// tile covers the gradient. For tiles of one column, neighbouring columns are more channels of the same: both follow
// each other in memory.
func (p *convPlan) tile(k *kernel.Set) []gradTile {
	cols, channels := p.kw, p.c
	wide := slices.ContainsFunc(k.Tiles(), func(t kernel.Tile) bool { return t.Cols > 1 })
	if !wide && p.colStep == 1 {
		cols, channels = 1, p.kw*p.c
	}
	var all []gradTile
	for ky := range p.kh {
		cover(func(t gradTile) { all = append(all, t) }, k.Tiles(), ky, 0, cols, 0, channels, 0, p.op/16)
	}
	return all
}

// addTiles sums over the images tile by tile: a tile's sums stay in the first-level cache meanwhile.
func (p *convPlan) addTiles(w *worker, tiles []gradTile, part, x, v unsafe.Pointer, images int) {
	a := &w.grad
	inImage, outImage := p.ph*p.pw*p.c*4, p.oh*p.ow*p.op*4
	for i := range len(tiles) * images {
		t, n := &tiles[i/images], i%images
		*a = kernel.WeightGradArgs{
			DW: unsafe.Add(part, (((t.ky*p.kw+t.kx)*p.c+t.ci)*p.op+t.co)*4),
			X:  unsafe.Add(x, n*inImage+(((t.ky*p.rowStep+p.baseY)*p.pw+t.kx*p.colStep+p.baseX)*p.c+t.ci)*4),
			DY: unsafe.Add(v, n*outImage+t.co*4), Rows: p.oh, Cols: p.ow,
			XPix: p.inStep[1] * p.c * 4, XRow: p.inStep[0] * p.pw * p.c * 4,
			DYPix: p.op * 4, DYRow: p.ow * p.op * 4,
			XCol: p.colStep * p.c * 4, DWCol: p.c * p.op * 4, DWInput: p.op * 4,
		}
		if t.keep == 0 {
			t.Run(a)
			continue
		}
		dw := a.DW
		clear(w.sums[:])
		a.DW, a.DWInput = unsafe.Pointer(&w.sums[0]), 64
		t.Run(a)
		for c := range t.keep {
			for i, v := range w.sums[16*(t.skip+c):][:16] {
				*(*float32)(unsafe.Add(dw, (t.skip+c)*p.op*4+4*i)) += v
			}
		}
	}
}
