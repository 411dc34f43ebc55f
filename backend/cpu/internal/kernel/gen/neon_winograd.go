package main

import "strconv"

// neonTile addresses one vector of a tile: registers point to it in the first column of each row of pixels and of
// positions, others hold the distances of columns 1, 2 and 3.
type neonTile struct {
	*neon
	pixels, positions []string
	pixStep, posStep  []string
	at                int            // the row of positions
	loaded            map[[2]int]vec // pixels
}

// access loads or stores v at a column of a row.
func (t *neonTile) access(name string, code uint32, v vec, base string, col int, steps []string) {
	if col == 0 {
		if name == "ldr" {
			t.line("FMOVQ (%s), F%d", base, t.neon.at(v))
		} else {
			t.line("FMOVQ F%d, (%s)", t.neon.at(v), base)
		}
		return
	}
	number := func(r string) uint32 {
		i, err := strconv.Atoi(r[1:])
		if err != nil {
			panic(err)
		}
		return uint32(i)
	}
	b, s := number(base), number(steps[col-1])
	t.word(code|s<<16|b<<5|uint32(t.neon.at(v)), "%s q%d, [x%d,x%d]", name, v.reg, b, s)
}

func (t *neonTile) load(base string, col int, steps []string) vec {
	v := t.temp()
	v.loaded = true
	t.access("ldr", ldrCode, v, base, col, steps)
	return v
}

// pixel loads a pixel the first time that it is asked for.
func (t *neonTile) pixel(row, col int) vec {
	at := [2]int{row, col}
	if _, ok := t.loaded[at]; !ok {
		t.loaded[at] = t.load(t.pixels[row], col, t.pixStep)
	}
	return t.loaded[at]
}

func (t *neonTile) setPixel(v vec, row, col int) {
	t.access("str", strCode, v, t.pixels[row], col, t.pixStep)
}

func (t *neonTile) position(col int) vec { return t.load(t.positions[t.at], col, t.posStep) }

func (t *neonTile) setPosition(v vec, col int) {
	t.access("str", strCode, v, t.positions[t.at], col, t.posStep)
}

func (t *neonTile) nextRow() { t.at++ }

func (n *neon) winograd() {
	n.transform("winogradInput", 4, true, winogradInput[vec])
	n.transform("winogradGrad", 2, true, winogradGrad[vec])
	n.transform("winogradOutput", 2, false, winogradOutput[vec])
	n.lines("winogradLineIn", winogradLineIn[vec])
	n.lines("winogradLineOut", winogradLineOut[vec])
}

// transform writes loops over tiles of side×side pixels and over their vectors of channels. See WinogradArgs for the
// offsets.
func (n *neon) transform(name string, side int, toPositions bool, body func(tile[vec])) {
	a := n.start(name + n.name)
	t := &neonTile{neon: n, pixels: n.gps(side), positions: n.gps(4), pixStep: n.gps(side - 1), posStep: n.gps(3), loaded: map[[2]int]vec{}}
	count, vectors, c := n.field(a, 16), n.field(a, 24), n.gp()
	n.line("LSL $2, %s", vectors) // of 16 channels
	image, positions := 8, 0
	if !toPositions {
		image, positions = positions, image
	}
	for _, p := range []struct {
		first, step int // offsets of the pointer and of the distance of columns
		rows, steps []string
	}{{image, 48, t.pixels, t.pixStep}, {positions, 64, t.positions, t.posStep}} {
		n.line("MOVD %d(%s), %s", p.first, a, p.rows[0])
		n.line("MOVD %d(%s), %s", p.step, a, p.steps[0])
		for i := 1; i < len(p.steps); i++ {
			n.line("ADD %s, %s, %s", p.steps[0], p.steps[i-1], p.steps[i])
		}
	}
	n.line("MOVD 56(%s), %s", a, c)
	n.pointers(t.pixels, t.pixels[0], c)
	n.line("LSL $2, %s, %s", t.posStep[0], c)
	n.pointers(t.positions, t.positions[0], c)
	n.label("tile")
	n.line("MOVD %s, %s", vectors, c)
	n.label("vector")
	body(t)
	for _, r := range append(append([]string{}, t.pixels...), t.positions...) {
		n.line("ADD $16, %s", r)
	}
	n.repeat(c, "vector")
	for i, rows := range [][]string{t.pixels, t.positions} { // what is left to the next tile
		n.line("MOVD %d(%s), %s", 32+8*i, a, c)
		for _, r := range rows {
			n.line("ADD %s, %s", c, r)
		}
	}
	n.repeat(count, "tile")
	n.line("RET")
}

// neonLine addresses the values of a tile in one direction as a row of pixels, and where they go as one of positions.
type neonLine struct {
	*neonTile
	factor vec
}

func (t neonLine) value(i int) vec {
	v := t.load(t.pixels[0], i, t.pixStep)
	v.loaded = false // it may be read again
	return v
}

func (t neonLine) set(v vec, i int) { t.setPosition(v, i) }
func (t neonLine) four() vec        { return t.factor }

// lines writes loops over tiles and over their vectors. See LineArgs for the offsets.
func (n *neon) lines(name string, body func(line[vec])) {
	a := n.start(name + n.name)
	t := neonLine{&neonTile{neon: n, pixStep: n.gps(5), posStep: n.gps(5)}, n.pin(1)[0]}
	n.line("FMOVS $4.0, F%d", t.factor.reg)
	n.line("VDUP V%d.S[0], V%d.S4", t.factor.reg, t.factor.reg)
	t.positions, t.pixels = []string{n.field(a, 0)}, []string{n.field(a, 8)}
	count, vectors, c := n.field(a, 16), n.field(a, 24), n.gp()
	n.line("LSL $2, %s", vectors) // of 16 floats
	for i, steps := range [][]string{t.posStep, t.pixStep} {
		n.line("MOVD %d(%s), %s", 48+8*i, a, steps[0])
		for k := 1; k < len(steps); k++ {
			n.line("ADD %s, %s, %s", steps[0], steps[k-1], steps[k])
		}
	}
	n.label("tile")
	n.line("MOVD %s, %s", vectors, c)
	n.label("vector")
	body(t)
	n.line("ADD $16, %s", t.positions[0])
	n.line("ADD $16, %s", t.pixels[0])
	n.repeat(c, "vector")
	for i, at := range []string{t.positions[0], t.pixels[0]} { // what is left to the next tile
		n.line("MOVD %d(%s), %s", 32+8*i, a, c)
		n.line("ADD %s, %s", c, at)
	}
	n.repeat(count, "tile")
	n.line("RET")
}
