package engine

import (
	"math"
	"unsafe"
)

// Pooling of images: windows over height and width of [N,H,W,C] float32 data, all channels of a
// pixel at a time. Everything else takes the general form.

// imagePool is the geometry of such a pooling from h×w to oh×ow pixels.
type imagePool struct {
	h, w, oh, ow, c int
	kh, kw, sy, sx  int
	top, left       int
}

func imagePoolOf(a *WindowAttr, in, out Shape) (imagePool, bool) {
	if in.Rank() != 4 || in.Type != Float32 || a.Window[0] != 1 || a.Window[3] != 1 {
		return imagePool{}, false
	}
	step, base, win, pads := orOnes(a.Strides, 4), orOnes(a.BaseDil, 4), orOnes(a.WinDil, 4), orNoPads(a.Pads, 4)
	for i := range 4 {
		if base[i] != 1 || win[i] != 1 {
			return imagePool{}, false
		}
	}
	if step[0] != 1 || step[3] != 1 || pads[0] != [2]int{} || pads[3] != [2]int{} {
		return imagePool{}, false
	}
	return imagePool{
		h: in.Dims[1], w: in.Dims[2], c: in.Dims[3], oh: out.Dims[1], ow: out.Dims[2],
		kh: a.Window[1], kw: a.Window[2], sy: step[1], sx: step[2], top: pads[1][0], left: pads[2][0],
	}, true
}

// each calls f for every output pixel of rows images with the pixels of its window that lie inside:
// rows y0 ≤ y < y1 and columns x0 ≤ x < x1 of the image.
func (p *imagePool) each(rows int, f func(image, out, y0, y1, x0, x1 int)) {
	for n := range rows {
		for oy := range p.oh {
			y := oy*p.sy - p.top
			for ox := range p.ow {
				x := ox*p.sx - p.left
				f(n*p.h*p.w, (n*p.oh+oy)*p.ow+ox, max(0, y), min(p.h, y+p.kh), max(0, x), min(p.w, x+p.kw))
			}
		}
	}
}

func imagePoolFn(p imagePool, reduce Op) (fn, bool) {
	id, _, ok := combiner[float32](reduce)
	if !ok || reduce == OpReduceProd {
		return nil, false
	}
	c := p.c
	return func(_ *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		x, o := slice[float32](in[0], rows*p.h*p.w*c), slice[float32](out, rows*p.oh*p.ow*c)
		p.each(rows, func(image, at, y0, y1, x0, x1 int) {
			acc := o[at*c:][:c]
			for i := range acc {
				acc[i] = id
			}
			for y := y0; y < y1; y++ {
				for xx := x0; xx < x1; xx++ {
					combineInto(acc, x[(image+y*p.w+xx)*c:][:c], reduce)
				}
			}
		})
	}, true
}

func combineInto(acc, v []float32, reduce Op) {
	v = v[:len(acc)]
	switch reduce {
	case OpReduceSum:
		for i := range acc {
			acc[i] += v[i]
		}
	case OpReduceMax:
		for i := range acc {
			acc[i] = max(acc[i], v[i])
		}
	case OpReduceMin:
		for i := range acc {
			acc[i] = min(acc[i], v[i])
		}
	}
}

// imageScatterFn is the gradient: each value goes to the first extreme of its window.
func imageScatterFn(p imagePool, minimum bool) fn {
	c, reduce := p.c, OpReduceMax
	if minimum {
		reduce = OpReduceMin
	}
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		x, o := slice[float32](in[0], rows*p.h*p.w*c), slice[float32](out, rows*p.h*p.w*c)
		v := slice[float32](in[1], rows*p.oh*p.ow*c)
		clear(o)
		best := w.float32s(c)
		p.each(rows, func(image, at, y0, y1, x0, x1 int) {
			if y0 >= y1 || x0 >= x1 {
				return
			}
			copy(best, x[(image+y0*p.w+x0)*c:][:c])
			for y := y0; y < y1; y++ {
				for xx := x0; xx < x1; xx++ {
					combineInto(best, x[(image+y*p.w+xx)*c:][:c], reduce)
				}
			}
			grad := v[at*c:][:c]
			for y := y0; y < y1; y++ {
				for xx := x0; xx < x1; xx++ {
					pixel := (image + y*p.w + xx) * c
					here, to := x[pixel:][:c], o[pixel:][:c]
					for i, b := range best {
						if here[i] == b {
							to[i] += grad[i]
							best[i] = float32(math.NaN()) // found: nothing equals it any more
						}
					}
				}
			}
		})
	}
}
