package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Winograd's F(2×2, 3×3) with the interpolation points 0, 1, -1 and infinity:
//
//	Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
//
//	Bᵀ = 1  0 -1  0     G = 1    0    0      Aᵀ = 1  1  1  0
//	     0  1  1  0         1/2  1/2  1/2         0  1 -1  1
//	     0 -1  1  0         1/2 -1/2  1/2
//	     0 -1  0  1         0    0    1
//
// The transforms below work on 16 channels at a time: a tile's pixels on one side, its 16 positions on the
// other. See WinogradArgs for the offsets.

// tiles opens a transform: loops over tiles and over vectors of channels. body sees the registers that point to
// the tile's pixels (a register a row) and to its positions; it may advance the latter.
func (s isa) tiles(name string, rows int, toPositions bool, body func(row []Register, pix, pix3, positions, pos, pos3 Register, disp int)) {
	a := s.start(name+s.name, "")
	image, positions := field(a, 8), field(a, 0)
	if !toPositions {
		image, positions = positions, image
	}
	pix, pos := field(a, 48), field(a, 64)
	rowStep := field(a, 56)
	row := []Register{image}
	for len(row) < rows {
		r := GP64()
		LEAQ(Mem{Base: row[len(row)-1], Index: rowStep, Scale: 1}, r)
		row = append(row, r)
	}
	pix3 := Register(nil)
	if rows == 4 {
		r := GP64()
		LEAQ(Mem{Base: pix, Index: pix, Scale: 2}, r)
		pix3 = r
	}
	p3 := GP64()
	LEAQ(Mem{Base: pos, Index: pos, Scale: 2}, p3)
	count := field(a, 16)
	Label("tile")
	groups := field(a, 24)
	Label("group")
	for disp := 0; disp < 64; disp += s.bytes() {
		cur := GP64()
		MOVQ(positions, cur)
		body(row, pix, pix3, cur, pos, p3, disp)
	}
	for _, r := range row {
		ADDQ(Imm(64), r)
	}
	ADDQ(Imm(64), positions)
	DECQ(groups)
	JNE(LabelRef("group"))
	for _, r := range row { // what is left to the next tile
		ADDQ(Mem{Base: a, Disp: 32}, r)
	}
	ADDQ(Mem{Base: a, Disp: 40}, positions)
	DECQ(count)
	JNE(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// column addresses column c of a row of pixels or of positions.
func column(base Register, c int, step, step3 Register, disp int) Mem {
	m := Mem{Base: base, Disp: disp}
	switch c {
	case 1, 2:
		m.Index, m.Scale = step, uint8(c)
	case 3:
		m.Index, m.Scale = step3, 1
	}
	return m
}

func winograd(s isa) {
	op := func(f func(ops ...Op), a Mem, b Mem) VecVirtual { // b f a
		v := s.vec()
		VMOVUPS(b, v)
		f(a, v, v)
		return v
	}
	minus := func(a, b VecVirtual) VecVirtual { v := s.vec(); VSUBPS(b, a, v); return v }
	plus := func(a, b VecVirtual) VecVirtual { v := s.vec(); VADDPS(b, a, v); return v }

	// Bᵀ d B: 4×4 pixels to positions.
	s.tiles("winogradInput", 4, true, func(row []Register, pix, pix3, positions, pos, pos3 Register, disp int) {
		for i, pair := range []struct {
			a, b int
			f    func(ops ...Op)
		}{{0, 2, VSUBPS}, {1, 2, VADDPS}, {2, 1, VSUBPS}, {3, 1, VSUBPS}} { // a f b
			var t [4]VecVirtual
			for c := range t {
				t[c] = op(pair.f, column(row[pair.b], c, pix, pix3, disp), column(row[pair.a], c, pix, pix3, disp))
			}
			for c, v := range []VecVirtual{minus(t[0], t[2]), plus(t[1], t[2]), minus(t[2], t[1]), minus(t[3], t[1])} {
				VMOVUPS(v, column(positions, c, pos, pos3, disp))
			}
			if i < 3 {
				LEAQ(Mem{Base: positions, Index: pos, Scale: 4}, positions)
			}
		}
	})

	// A e Aᵀ: 2×2 output gradients to positions.
	s.tiles("winogradGrad", 2, true, func(row []Register, pix, _, positions, pos, pos3 Register, disp int) {
		var e [2][2]VecVirtual
		for r := range e {
			for c := range e[r] {
				e[r][c] = s.vec()
				VMOVUPS(column(row[r], c, pix, nil, disp), e[r][c])
			}
		}
		for i := range 4 {
			var t [2]VecVirtual
			for c := range t {
				t[c] = [4]func() VecVirtual{
					func() VecVirtual { return e[0][c] },
					func() VecVirtual { return plus(e[0][c], e[1][c]) },
					func() VecVirtual { return minus(e[0][c], e[1][c]) },
					func() VecVirtual { return e[1][c] },
				}[i]()
			}
			for c, v := range []VecVirtual{t[0], plus(t[0], t[1]), minus(t[0], t[1]), t[1]} {
				VMOVUPS(v, column(positions, c, pos, pos3, disp))
			}
			if i < 3 {
				LEAQ(Mem{Base: positions, Index: pos, Scale: 4}, positions)
			}
		}
	})

	// Aᵀ m A: positions to 2×2 pixels.
	s.tiles("winogradOutput", 2, false, func(row []Register, pix, _, positions, pos, pos3 Register, disp int) {
		var sum, alt [4]VecVirtual // of each column: m0+m1+m2 and m1-m2+m3
		for i := range 4 {
			for c := range 4 {
				m := column(positions, c, pos, pos3, disp)
				switch i {
				case 0:
					sum[c] = s.vec()
					VMOVUPS(m, sum[c])
				case 1:
					alt[c] = s.vec()
					VMOVUPS(m, alt[c])
					VADDPS(alt[c], sum[c], sum[c])
				case 2:
					v := s.vec()
					VMOVUPS(m, v)
					VADDPS(v, sum[c], sum[c])
					VSUBPS(v, alt[c], alt[c])
				case 3:
					VADDPS(m, alt[c], alt[c])
				}
			}
			if i < 3 {
				LEAQ(Mem{Base: positions, Index: pos, Scale: 4}, positions)
			}
		}
		for r, t := range [][4]VecVirtual{sum, alt} {
			left := plus(plus(t[0], t[1]), t[2])
			VMOVUPS(left, column(row[r], 0, pix, nil, disp))
			right := plus(minus(t[1], t[2]), t[3])
			VMOVUPS(right, column(row[r], 1, pix, nil, disp))
		}
	})
}

func productName(s isa, blocks, rows int) string {
	return fmt.Sprintf("product%sB%dR%d", s.name, blocks, rows)
}

// product multiplies, for each of some positions, rows of inputs by a matrix of weights: rows×(16·blocks) results.
// See ProductArgs for the offsets.
func product(s isa, blocks, rows int) {
	a := s.start(productName(s, blocks, rows), "")
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
			s.zero(acc[p][i])
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
