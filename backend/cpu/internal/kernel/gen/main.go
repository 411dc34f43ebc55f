// Command gen writes the assembly kernels of package kernel.
//
//	go generate ./backend/cpu/internal/kernel
//
// Every kernel exists for AVX-512 and for AVX2+FMA and takes one pointer to an argument struct,
// whose layout is declared once, here and in args.go; offsets_test.go holds the two together.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// isa describes one instruction set: its name, the floats in a vector register and the number of registers.
type isa struct {
	name  string
	lanes int
	regs  int
	wide  bool // embedded broadcast and 32 registers
}

var isas = []isa{{"AVX512", 16, 32, true}, {"AVX2", 8, 16, false}}

func (s isa) vec() VecVirtual {
	if s.wide {
		return ZMM()
	}
	return YMM()
}

func (s isa) vecs(n int) []VecVirtual {
	v := make([]VecVirtual, n)
	for i := range v {
		v[i] = s.vec()
	}
	return v
}

func (s isa) bytes() int { return 4 * s.lanes }

func (s isa) zero(v VecVirtual) {
	if s.wide {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// start opens a kernel and returns the register with its argument pointer.
func (s isa) start(name, doc string) GPVirtual {
	TEXT(name, NOSPLIT, "func(a *byte)")
	Pragma("noescape")
	if doc != "" {
		Doc(doc)
	}
	return Load(Param("a"), GP64()).(GPVirtual)
}

func field(a Register, off int) Register {
	r := GP64()
	MOVQ(Mem{Base: a, Disp: off}, r)
	return r
}

func main() {
	ConstraintExpr("amd64")
	for _, s := range isas {
		// One output vector block a pixel (16 channels), then two (32 channels).
		for _, p := range convPixels(s, 1) {
			conv(s, 1, p)
		}
		for _, p := range convPixels(s, 2) {
			conv(s, 2, p)
		}
		for _, t := range weightGradTiles(s) {
			weightGrad(s, t[0], t[1], t[2])
		}
		channelKernels(s)
		flatKernels(s)
	}
	Generate()
}

// convPixels lists how many pixels a convolution kernel computes at once, for blocks of 16*n channels.
func convPixels(s isa, blocks int) []int {
	var most int
	switch {
	case s.wide && blocks == 1:
		most = 16
	case s.wide:
		most = 14
	case blocks == 1:
		most = 6
	default:
		most = 3
	}
	if !s.wide && blocks == 2 {
		return nil // 4 registers a pixel: no gain over two calls
	}
	p := make([]int, most)
	for i := range p {
		p[i] = i + 1
	}
	return p
}

func convName(s isa, blocks, pixels int) string {
	return fmt.Sprintf("conv%sB%dP%d", s.name, blocks, pixels)
}

// conv computes pixels×(16·blocks) outputs: for every tap and input channel, one broadcast input
// value a pixel times a row of weights. See ConvArgs for the offsets.
func conv(s isa, blocks, pixels int) {
	a := s.start(convName(s, blocks, pixels), "")
	n := blocks * 16 / s.lanes // vectors a pixel
	acc := make([][]VecVirtual, pixels)
	for p := range acc {
		acc[p] = s.vecs(n)
	}
	out, outPix := field(a, 0), field(a, 48)
	// Start from zero or from what is there.
	flag := field(a, 64)
	TESTQ(flag, flag)
	JNE(LabelRef("load"))
	for p := range acc {
		for i := range acc[p] {
			s.zero(acc[p][i])
		}
	}
	JMP(LabelRef("taps"))
	Label("load")
	cur := GP64()
	MOVQ(out, cur)
	for p := range acc {
		for i := range acc[p] {
			VMOVUPS(Mem{Base: cur, Disp: i * s.bytes()}, acc[p][i])
		}
		if p+1 < pixels {
			ADDQ(outPix, cur)
		}
	}
	Label("taps")
	taps, ntaps := field(a, 24), field(a, 32)
	pix, wRow := field(a, 40), field(a, 56)
	odd := map[int]Register{1: pix}
	for _, m := range []int{3, 5, 7} {
		if pixels > m {
			r := GP64()
			if m == 7 {
				MOVQ(pix, r)
				SHLQ(U8(3), r)
				SUBQ(pix, r)
			} else {
				LEAQ(Mem{Base: pix, Index: pix, Scale: uint8(m - 1)}, r)
			}
			odd[m] = r
		}
	}
	tap := GP64()
	XORQ(tap, tap)
	Label("tap")
	in, w := field(a, 8), field(a, 16)
	t := GP64()
	MOVQ(Mem{Base: taps, Index: tap, Scale: 8}, t)
	ADDQ(t, in)
	MOVQ(Mem{Base: taps, Index: tap, Scale: 8, Disp: 8}, t)
	ADDQ(t, w)
	in8 := GP64()
	if pixels > 8 {
		LEAQ(Mem{Base: in, Index: pix, Scale: 8}, in8)
	}
	at := func(p int) Mem {
		base := Register(in)
		if p >= 8 {
			base, p = in8, p-8
		}
		if p == 0 {
			return Mem{Base: base}
		}
		scale := 1
		for p%2 == 0 {
			p, scale = p/2, scale*2
		}
		return Mem{Base: base, Index: odd[p], Scale: uint8(scale)}
	}
	c := field(a, 72)
	Label("channel")
	wv := s.vecs(n)
	for i := range wv {
		VMOVUPS(Mem{Base: w, Disp: i * s.bytes()}, wv[i])
	}
	var x VecVirtual
	if !s.wide || n > 1 {
		x = s.vec()
	}
	for p := range acc {
		if s.wide && n == 1 {
			VFMADD231PS_BCST(at(p), wv[0], acc[p][0])
			continue
		}
		VBROADCASTSS(at(p), x)
		for i := range wv {
			VFMADD231PS(wv[i], x, acc[p][i])
		}
	}
	ADDQ(Imm(4), in)
	if pixels > 8 {
		ADDQ(Imm(4), in8)
	}
	ADDQ(wRow, w)
	DECQ(c)
	JNE(LabelRef("channel"))
	ADDQ(Imm(2), tap)
	CMPQ(tap, ntaps)
	JLT(LabelRef("tap"))
	for p := range acc {
		for i := range acc[p] {
			VMOVUPS(acc[p][i], Mem{Base: out, Disp: i * s.bytes()})
		}
		if p+1 < pixels {
			ADDQ(outPix, out)
		}
	}
	VZEROUPPER()
	RET()
}

// weightGradTiles lists {kernel columns, input channels, blocks of 16 output channels} of the tiles.
func weightGradTiles(s isa) [][3]int {
	if s.wide {
		return [][3]int{{3, 8, 1}, {3, 4, 2}, {3, 3, 1}, {1, 16, 1}, {1, 8, 2}, {1, 1, 1}, {1, 4, 1}}
	}
	return [][3]int{{3, 2, 1}, {1, 6, 1}, {1, 4, 1}, {1, 1, 1}}
}

func weightGradName(s isa, k, c, b int) string {
	return fmt.Sprintf("weightGrad%sK%dC%dB%d", s.name, k, c, b)
}

// weightGrad adds to a tile of the weight gradient: for every pixel, kcols×channels broadcast
// inputs times a row of output gradients.
func weightGrad(s isa, kcols, channels, blocks int) {
	a := s.start(weightGradName(s, kcols, channels, blocks), "")
	n := blocks * 16 / s.lanes
	acc := make([][]VecVirtual, kcols*channels)
	for i := range acc {
		acc[i] = s.vecs(n)
		for j := range acc[i] {
			s.zero(acc[i][j])
		}
	}
	x0, dy0 := field(a, 8), field(a, 16)
	xPix, dyPix := field(a, 40), field(a, 56)
	kx := field(a, 72)
	rows := field(a, 24)
	Label("row")
	x, dy := GP64(), GP64()
	MOVQ(x0, x)
	MOVQ(dy0, dy)
	cols := field(a, 32)
	Label("pixel")
	dv := s.vecs(n)
	for i := range dv {
		VMOVUPS(Mem{Base: dy, Disp: i * s.bytes()}, dv[i])
	}
	var b VecVirtual
	if !s.wide || n > 1 {
		b = s.vec()
	}
	for k := range kcols {
		for c := range channels {
			m := Mem{Base: x, Disp: 4 * c}
			if k > 0 {
				m.Index, m.Scale = kx, uint8(k)
			}
			t := acc[k*channels+c]
			if s.wide && n == 1 {
				VFMADD231PS_BCST(m, dv[0], t[0])
				continue
			}
			VBROADCASTSS(m, b)
			for i := range dv {
				VFMADD231PS(dv[i], b, t[i])
			}
		}
	}
	ADDQ(xPix, x)
	ADDQ(dyPix, dy)
	DECQ(cols)
	JNE(LabelRef("pixel"))
	t := field(a, 48)
	ADDQ(t, x0)
	t = field(a, 64)
	ADDQ(t, dy0)
	DECQ(rows)
	JNE(LabelRef("row"))
	dw, dwK, dwC := field(a, 0), field(a, 80), field(a, 88)
	for k := range kcols {
		cur := GP64()
		MOVQ(dw, cur)
		for c := range channels {
			for i, v := range acc[k*channels+c] {
				m := Mem{Base: cur, Disp: i * s.bytes()}
				VADDPS(m, v, v)
				VMOVUPS(v, m)
			}
			if c+1 < channels {
				ADDQ(dwC, cur)
			}
		}
		if k+1 < kcols {
			ADDQ(dwK, dw)
		}
	}
	VZEROUPPER()
	RET()
}

// channelKernels work on groups of 64 floats: 64 channels of a pixel, or 2, 4, … pixels of fewer
// channels, with the coefficients repeated to 64. Group g lies g·stride bytes after the first.
func channelKernels(s isa) {
	const group = 64
	n := group / s.lanes
	// body(i, …) handles vector i of a group; coefficient k of vector i lies at coef + (k·64 + i·lanes)·4.
	each := func(name, doc string, srcs int, hasDst bool, ncoef, nacc int,
		body func(src []Mem, dst Mem, coef []Op, acc []VecVirtual),
	) {
		a := s.start(name+s.name, doc)
		count, stride, coefs := field(a, 32), field(a, 40), field(a, 48)
		var dst Register
		if hasDst {
			dst = field(a, 0)
		}
		src := make([]Register, srcs)
		for i := range src {
			src[i] = field(a, 8+8*i)
		}
		// Half a group at a time keeps the coefficients in registers.
		halves, per := 1, n
		if (ncoef+nacc)*n > s.regs-4 {
			halves, per = 2, n/2
		}
		if (ncoef+nacc)*per > s.regs-4 {
			halves, per = 4, n/4
		}
		if (ncoef+nacc)*per > s.regs-4 {
			halves, per = 8, n/8
		}
		for h := range halves {
			coef := make([][]Op, per)
			acc := make([][]VecVirtual, per)
			for i := range per {
				for k := range ncoef {
					v := s.vec()
					VMOVUPS(Mem{Base: coefs, Disp: (k*group + (h*per+i)*s.lanes) * 4}, v)
					coef[i] = append(coef[i], v)
				}
				acc[i] = s.vecs(nacc)
				for _, v := range acc[i] {
					s.zero(v)
				}
			}
			off := GP64()
			XORQ(off, off)
			c := GP64()
			MOVQ(count, c)
			Label(fmt.Sprintf("loop%d", h))
			for i := range per {
				disp := (h*per + i) * s.bytes()
				ms := make([]Mem, srcs)
				for j := range ms {
					ms[j] = Mem{Base: src[j], Index: off, Scale: 1, Disp: disp}
				}
				var d Mem
				if hasDst {
					d = Mem{Base: dst, Index: off, Scale: 1, Disp: disp}
				}
				body(ms, d, coef[i], acc[i])
			}
			ADDQ(stride, off)
			DECQ(c)
			JNE(LabelRef(fmt.Sprintf("loop%d", h)))
			if nacc > 0 {
				sums := field(a, 56)
				for i := range per {
					for k, v := range acc[i] {
						m := Mem{Base: sums, Disp: (k*group + (h*per+i)*s.lanes) * 4}
						VADDPS(m, v, v)
						VMOVUPS(v, m)
					}
				}
			}
		}
		VZEROUPPER()
		RET()
	}
	each("affine", "", 1, true, 2, 0, func(src []Mem, dst Mem, coef []Op, _ []VecVirtual) {
		v := s.vec()
		VMOVUPS(coef[1], v)
		VFMADD231PS(src[0], coef[0], v)
		VMOVUPS(v, dst)
	})
	zero := func() VecVirtual { z := s.vec(); s.zero(z); return z }
	each("affineRelu", "", 1, true, 2, 0, func(src []Mem, dst Mem, coef []Op, _ []VecVirtual) {
		v := s.vec()
		VMOVUPS(coef[1], v)
		VFMADD231PS(src[0], coef[0], v)
		VMAXPS(zero(), v, v)
		VMOVUPS(v, dst)
	})
	each("affine2", "", 2, true, 3, 0, func(src []Mem, dst Mem, coef []Op, _ []VecVirtual) {
		v := s.vec()
		VMOVUPS(coef[2], v)
		VFMADD231PS(src[1], coef[1], v)
		VFMADD231PS(src[0], coef[0], v)
		VMOVUPS(v, dst)
	})
	each("affine2Add", "", 3, true, 3, 0, func(src []Mem, dst Mem, coef []Op, _ []VecVirtual) {
		v := s.vec()
		VMOVUPS(coef[2], v)
		VFMADD231PS(src[1], coef[1], v)
		VFMADD231PS(src[0], coef[0], v)
		VADDPS(src[2], v, v)
		VMOVUPS(v, dst)
	})
	each("affineMask", "", 2, true, 2, 0, func(src []Mem, dst Mem, coef []Op, _ []VecVirtual) {
		// dst = a·x+b ≥ 0 ? v : 0
		v := s.vec()
		VMOVUPS(coef[1], v)
		VFMADD231PS(src[1], coef[0], v)
		if s.wide {
			k := K()
			VCMPPS(Imm(13), zero(), v, k)
			r := s.vec()
			VMOVUPS_Z(src[0], k, r)
			VMOVUPS(r, dst)
		} else {
			VCMPPS(Imm(13), zero(), v, v)
			VANDPS(src[0], v, v)
			VMOVUPS(v, dst)
		}
	})
	each("sum", "", 1, false, 0, 1, func(src []Mem, _ Mem, _ []Op, acc []VecVirtual) {
		VADDPS(src[0], acc[0], acc[0])
	})
	each("sumSquares", "", 1, false, 1, 1, func(src []Mem, _ Mem, coef []Op, acc []VecVirtual) {
		d := s.vec()
		VMOVUPS(src[0], d)
		VSUBPS(coef[0], d, d)
		VFMADD231PS(d, d, acc[0])
	})
	each("gradSums", "", 2, false, 1, 2, func(src []Mem, _ Mem, coef []Op, acc []VecVirtual) {
		// acc0 += v, acc1 += v·(x−mean)
		v, d := s.vec(), s.vec()
		VMOVUPS(src[0], v)
		VMOVUPS(src[1], d)
		VSUBPS(coef[0], d, d)
		VADDPS(v, acc[0], acc[0])
		VFMADD231PS(v, d, acc[1])
	})
}

// flatKernels work on count groups of 64 consecutive floats.
func flatKernels(s isa) {
	const group = 64
	n := group / s.lanes
	each := func(name string, srcs int, prep func(a Register) []VecVirtual, body func(src []Mem, dst Mem, k []VecVirtual)) {
		a := s.start(name+s.name, "")
		dst, count := field(a, 0), field(a, 32)
		src := make([]Register, srcs)
		for i := range src {
			src[i] = field(a, 8+8*i)
		}
		var k []VecVirtual
		if prep != nil {
			k = prep(a)
		}
		off := GP64()
		XORQ(off, off)
		Label("loop")
		for i := range n {
			ms := make([]Mem, srcs)
			for j := range ms {
				ms[j] = Mem{Base: src[j], Index: off, Scale: 1, Disp: i * s.bytes()}
			}
			body(ms, Mem{Base: dst, Index: off, Scale: 1, Disp: i * s.bytes()}, k)
		}
		ADDQ(U32(group*4), off)
		DECQ(count)
		JNE(LabelRef("loop"))
		VZEROUPPER()
		RET()
	}
	binary := func(f func(ops ...Op)) func(src []Mem, dst Mem, _ []VecVirtual) {
		return func(src []Mem, dst Mem, _ []VecVirtual) {
			v := s.vec()
			VMOVUPS(src[0], v)
			f(src[1], v, v)
			VMOVUPS(v, dst)
		}
	}
	scalar := func(f func(ops ...Op)) func(src []Mem, dst Mem, k []VecVirtual) {
		return func(src []Mem, dst Mem, k []VecVirtual) {
			v := s.vec()
			f(src[0], k[0], v)
			VMOVUPS(v, dst)
		}
	}
	bcast := func(a Register) []VecVirtual {
		v := s.vec()
		p := field(a, 48)
		VBROADCASTSS(Mem{Base: p}, v)
		return []VecVirtual{v}
	}
	each("add", 2, nil, binary(VADDPS))
	each("sub", 2, nil, binary(VSUBPS))
	each("mul", 2, nil, binary(VMULPS))
	each("addScalar", 1, bcast, scalar(VADDPS))
	each("mulScalar", 1, bcast, scalar(VMULPS))
	each("relu", 1, func(Register) []VecVirtual { z := s.vec(); s.zero(z); return []VecVirtual{z} }, scalar(VMAXPS))
	each("reluGrad", 2, func(Register) []VecVirtual { z := s.vec(); s.zero(z); return []VecVirtual{z} },
		func(src []Mem, dst Mem, k []VecVirtual) {
			// dst = x ≥ 0 ? v : 0, sources v, x
			v := s.vec()
			VMOVUPS(src[1], v)
			if s.wide {
				m := K()
				VCMPPS(Imm(13), k[0], v, m)
				r := s.vec()
				VMOVUPS_Z(src[0], m, r)
				VMOVUPS(r, dst)
			} else {
				VCMPPS(Imm(13), k[0], v, v)
				VANDPS(src[0], v, v)
				VMOVUPS(v, dst)
			}
		})
	// The SGD step of PyTorch with momentum and Nesterov: sources p, m, g; destination p', momentum m' at +56.
	a := s.start("sgd"+s.name, "")
	dst, p, m, g, count, coefs, mdst := field(a, 0), field(a, 8), field(a, 16), field(a, 24), field(a, 32), field(a, 48), field(a, 56)
	k := make([]VecVirtual, 4) // weight decay, momentum, −rate, −rate·momentum (Nesterov) or 0 with −rate on m
	for i := range k {
		k[i] = s.vec()
		VBROADCASTSS(Mem{Base: coefs, Disp: 4 * i}, k[i])
	}
	off := GP64()
	XORQ(off, off)
	Label("loop")
	for i := range n {
		at := func(r Register) Mem { return Mem{Base: r, Index: off, Scale: 1, Disp: i * s.bytes()} }
		pv, gv, mv := s.vec(), s.vec(), s.vec()
		VMOVUPS(at(p), pv)
		VMOVUPS(at(g), gv)
		VFMADD231PS(pv, k[0], gv) // g += wd·p
		VMULPS(at(m), k[1], mv)   // m' = mu·m
		VADDPS(gv, mv, mv)        // + g
		VFMADD231PS(gv, k[2], pv) // p += c2·g
		VFMADD231PS(mv, k[3], pv) // p += c3·m'
		VMOVUPS(mv, at(mdst))
		VMOVUPS(pv, at(dst))
	}
	ADDQ(U32(group*4), off)
	DECQ(count)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
