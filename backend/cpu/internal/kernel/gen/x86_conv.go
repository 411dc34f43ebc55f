package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// conv computes pixels×(16·blocks) outputs: for every tap and input channel, one broadcast input
// value a pixel times a row of weights. See ConvArgs for the offsets.
func conv(s isa, blocks, pixels int) {
	a := s.start(s.convName(blocks, pixels), "")
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
			s.clear(acc[p][i])
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
	odd := multiples(pix, pixels)
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
	c := field(a, 72)
	Label("channel")
	s.multiply(acc, w, in, in8, odd)
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

// multiply adds to each row of acc its input, at rowAt, times the weights at w.
func (s isa) multiply(acc [][]VecVirtual, w, in, in8 Register, odd map[int]Register) {
	wv := s.vecs(len(acc[0]))
	for i := range wv {
		VMOVUPS(Mem{Base: w, Disp: i * s.bytes()}, wv[i])
	}
	var x VecVirtual
	if !s.wide || len(wv) > 1 {
		x = s.vec()
	}
	for p := range acc {
		m := rowAt(in, in8, odd, p)
		if s.wide && len(wv) == 1 {
			VFMADD231PS_BCST(m, wv[0], acc[p][0])
			continue
		}
		VBROADCASTSS(m, x)
		for i := range wv {
			VFMADD231PS(wv[i], x, acc[p][i])
		}
	}
}

// multiples returns registers with the odd multiples of a distance that rowAt needs for so many rows.
func multiples(pix Register, rows int) map[int]Register {
	odd := map[int]Register{1: pix}
	for _, m := range []int{3, 5, 7} {
		if rows > m {
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
	return odd
}

// rowAt addresses row p of up to 16; in8 points to row 8.
func rowAt(in, in8 Register, odd map[int]Register, p int) Mem {
	base := in
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

// weightGrad adds to a tile of the weight gradient: for every pixel, kcols×channels broadcast
// inputs times a row of output gradients.
func weightGrad(s isa, kcols, channels, blocks int) {
	a := s.start(s.weightGradName(kcols, channels, blocks), "")
	n := blocks * 16 / s.lanes
	acc := make([][]VecVirtual, kcols*channels)
	for i := range acc {
		acc[i] = s.vecs(n)
		for j := range acc[i] {
			s.clear(acc[i][j])
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

// product multiplies, for each of some positions, rows of inputs by a matrix of weights: rows×(16·blocks) results.
// See ProductArgs for the offsets.
func product(s isa, blocks, rows int) {
	a := s.start(s.productName(blocks, rows), "")
	n := blocks * 16 / s.lanes
	acc := make([][]VecVirtual, rows)
	for p := range acc {
		acc[p] = s.vecs(n)
	}
	out, in, w := field(a, 0), field(a, 8), field(a, 16)
	pix, outPix, wRow := field(a, 32), field(a, 40), field(a, 48)
	odd := multiples(pix, rows)
	positions := field(a, 24)
	in8 := GP64()
	Label("position")
	for p := range acc {
		for i := range acc[p] {
			s.clear(acc[p][i])
		}
	}
	if rows > 8 {
		LEAQ(Mem{Base: in, Index: pix, Scale: 8}, in8)
	}
	c := field(a, 56)
	Label("channel")
	s.multiply(acc, w, in, in8, odd)
	ADDQ(Imm(4), in)
	if rows > 8 {
		ADDQ(Imm(4), in8)
	}
	ADDQ(wRow, w)
	DECQ(c)
	JNE(LabelRef("channel"))
	for p := range acc {
		for i := range acc[p] {
			VMOVUPS(acc[p][i], Mem{Base: out, Disp: i * s.bytes()})
		}
		if p+1 < rows {
			ADDQ(outPix, out)
		}
	}
	// The weights of the next position follow; inputs and results lie further on.
	ADDQ(Mem{Base: a, Disp: 64}, in)
	ADDQ(Mem{Base: a, Disp: 72}, out)
	DECQ(positions)
	JNE(LabelRef("position"))
	VZEROUPPER()
	RET()
}
