package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// x86Tile addresses a tile: a register for each row of pixels and one for a row of positions, and the distances of
// their columns, once and three times.
type x86Tile struct {
	isa
	row       []Register
	pix, pix3 Register
	positions Register
	pos, pos3 Register
	disp      int
}

// column addresses column c, 0 to 4, of a row of pixels or of positions.
func column(base Register, c int, step, step3 Register, disp int) Mem {
	m := Mem{Base: base, Disp: disp}
	switch c {
	case 1, 2, 4:
		m.Index, m.Scale = step, uint8(c)
	case 3:
		m.Index, m.Scale = step3, 1
	}
	return m
}

func (t x86Tile) pixel(row, col int) Op { return column(t.row[row], col, t.pix, t.pix3, t.disp) }

func (t x86Tile) position(col int) Op         { return column(t.positions, col, t.pos, t.pos3, t.disp) }
func (t x86Tile) setPixel(v Op, row, col int) { VMOVUPS(v, t.pixel(row, col)) }
func (t x86Tile) setPosition(v Op, col int)   { VMOVUPS(v, t.position(col)) }
func (t x86Tile) nextRow()                    { LEAQ(Mem{Base: t.positions, Index: t.pos, Scale: 4}, t.positions) }

func x86Winograd(s isa) {
	s.transform("winogradInput", 4, true, winogradInput[Op])
	s.transform("winogradGrad", 2, true, winogradGrad[Op])
	s.transform("winogradOutput", 2, false, winogradOutput[Op])
	s.lines("winogradLineIn", winogradLineIn[Op])
	s.lines("winogradLineOut", winogradLineOut[Op])
}

// transform writes loops over tiles of so many rows of pixels, over groups of 16 channels and their vectors. See
// WinogradArgs for the offsets.
func (s isa) transform(name string, rows int, toPositions bool, body func(tile[Op])) {
	a := s.start(name+s.name, "")
	image, positions := field(a, 8), field(a, 0)
	if !toPositions {
		image, positions = positions, image
	}
	t := x86Tile{isa: s, pix: field(a, 48), pos: field(a, 64)}
	rowStep := field(a, 56)
	t.row = []Register{image}
	for len(t.row) < rows {
		r := GP64()
		LEAQ(Mem{Base: t.row[len(t.row)-1], Index: rowStep, Scale: 1}, r)
		t.row = append(t.row, r)
	}
	if rows == 4 {
		t.pix3 = GP64()
		LEAQ(Mem{Base: t.pix, Index: t.pix, Scale: 2}, t.pix3)
	}
	t.pos3 = GP64()
	LEAQ(Mem{Base: t.pos, Index: t.pos, Scale: 2}, t.pos3)
	count := field(a, 16)
	Label("tile")
	groups := field(a, 24)
	Label("group")
	for t.disp = 0; t.disp < 64; t.disp += s.bytes() {
		t.positions = GP64()
		MOVQ(positions, t.positions)
		body(t)
	}
	for _, r := range t.row {
		ADDQ(Imm(64), r)
	}
	ADDQ(Imm(64), positions)
	DECQ(groups)
	JNE(LabelRef("group"))
	for _, r := range t.row { // what is left to the next tile
		ADDQ(Mem{Base: a, Disp: 32}, r)
	}
	ADDQ(Mem{Base: a, Disp: 40}, positions)
	DECQ(count)
	JNE(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// x86Line addresses the values of a tile in one direction: the first, the distances to others, and where they go.
type x86Line struct {
	isa
	from, to x86Steps
	factor   Op
	disp     int
}

// x86Steps addresses up to six places that lie step apart.
type x86Steps struct{ first, step, step3, step5 Register }

func x86StepsOf(a Register, first, step int) x86Steps {
	t := x86Steps{field(a, first), field(a, step), GP64(), GP64()}
	LEAQ(Mem{Base: t.step, Index: t.step, Scale: 2}, t.step3)
	LEAQ(Mem{Base: t.step, Index: t.step, Scale: 4}, t.step5)
	return t
}

func (t x86Steps) at(i, disp int) Mem {
	if i == 5 {
		return Mem{Base: t.first, Index: t.step5, Scale: 1, Disp: disp}
	}
	return column(t.first, i, t.step, t.step3, disp)
}

func (t x86Line) value(i int) Op  { return t.copy(t.from.at(i, t.disp)) }
func (t x86Line) set(v Op, i int) { VMOVUPS(v, t.to.at(i, t.disp)) }
func (t x86Line) four() Op        { return t.factor }

// lines writes loops over tiles and over groups of 16 floats. See LineArgs for the offsets.
func (s isa) lines(name string, body func(line[Op])) {
	a := s.start(name+s.name, "")
	bits, x, factor := GP32(), XMM(), s.vec()
	MOVL(U32(math.Float32bits(4)), bits)
	VMOVD(bits, x)
	VBROADCASTSS(x, factor)
	t := x86Line{isa: s, to: x86StepsOf(a, 0, 48), from: x86StepsOf(a, 8, 56), factor: factor}
	count := field(a, 16)
	Label("tile")
	groups := field(a, 24)
	Label("group")
	for t.disp = 0; t.disp < 64; t.disp += s.bytes() {
		body(t)
	}
	ADDQ(Imm(64), t.from.first)
	ADDQ(Imm(64), t.to.first)
	DECQ(groups)
	JNE(LabelRef("group"))
	ADDQ(Mem{Base: a, Disp: 32}, t.to.first)
	ADDQ(Mem{Base: a, Disp: 40}, t.from.first)
	DECQ(count)
	JNE(LabelRef("tile"))
	VZEROUPPER()
	RET()
}
