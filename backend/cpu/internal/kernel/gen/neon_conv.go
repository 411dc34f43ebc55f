package main

// channelBlock is 16 channels in vectors of 4 floats.
const channelBlock = 4

// sums pins the sums of rows × 16 channels.
func (n *neon) sums(rows int) [][]vec {
	acc := make([][]vec, rows)
	for i := range acc {
		acc[i] = n.pin(channelBlock)
	}
	return acc
}

// rowLoop is the loop over the channels of a convolution or product: how many it takes at a time, and registers with
// how often it does that and with how many channels are left over.
type rowLoop struct {
	step                    int
	whole, rest, count      string
	x                       []string // where the inputs of each row lie
	w, weightRow, remainder string   // the weights, from a row of them to the next, and so less 32 bytes
}

// rowLoop prepares it: before sums are pinned, and with 8 channels at a time where registers allow. Two rows take 16,
// or the loop's end would weigh too much.
func (n *neon) rowLoop(a string, rows, channels, weightRow int) *rowLoop {
	l := &rowLoop{step: 4, whole: n.gp(), rest: n.gp(), count: n.gp(), x: n.gps(rows), w: n.gp(), weightRow: n.field(a, weightRow)}
	shift := 2
	switch {
	case rows == 2:
		l.step, shift = 16, 4
	case rows*(channelBlock+2)+channelBlock <= n.regs:
		l.step, shift = 8, 3
	}
	n.line("MOVD %d(%s), %s", channels, a, l.rest)
	n.line("LSR $%d, %s, %s", shift, l.rest, l.whole)
	n.line("AND $%d, %s, %s", l.step-1, l.rest, l.rest)
	if rows*(channelBlock+1)+channelBlock > n.regs {
		l.remainder = n.gp()
		n.line("SUB $32, %s, %s", l.weightRow, l.remainder)
	}
	return l
}

// pointers sets x to rows of inputs, a distance apart.
func (n *neon) pointers(x []string, first, distance string) {
	if first != x[0] {
		n.line("MOVD %s, %s", first, x[0])
	}
	for i := range x[1:] {
		n.line("ADD %s, %s, %s", distance, x[i], x[i+1])
	}
}

// multiply adds to each row of acc the products of its inputs with the rows of weights. A load brings 4 or 8 inputs of
// a row, each of which then multiplies 16 weights as an element of its vector.
func (n *neon) multiply(acc [][]vec, l *rowLoop) {
	rows, pinned := len(acc), n.pinned
	n.line("CBZ %s, rest", l.whole)
	n.line("MOVD %s, %s", l.whole, l.count)
	lanes := make([][]vec, rows)
	for p := range lanes {
		lanes[p] = n.pin(l.step / 4)
	}
	wide := channelBlock
	if l.remainder != "" { // two registers for weights are left
		wide = 2
	}
	w := n.pin(min(n.regs-n.pinned, 2*channelBlock) / wide * wide)
	n.label("channels")
	for p, x := range l.x {
		if l.step == 4 {
			n.line("FMOVQ.P 16(%s), F%d", x, n.at(lanes[p][0]))
		}
		for i := 0; i+1 < len(lanes[p]); i += 2 {
			n.line("FLDPQ.P 32(%s), (F%d, F%d)", x, n.at(lanes[p][i]), n.at(lanes[p][i+1]))
		}
	}
	turn := 0
	for c := range l.step {
		for i := 0; i < channelBlock; i += wide {
			row := w[turn : turn+wide]
			turn = (turn + wide) % len(w)
			switch {
			case wide == channelBlock:
				n.line("VLD1.P (%s)(%s), %s", l.w, l.weightRow, n.list(row, "S4"))
			case i == 0:
				n.line("VLD1.P 32(%s), %s", l.w, n.list(row, "S4"))
			default:
				n.line("VLD1.P (%s)(%s), %s", l.w, l.remainder, n.list(row, "S4"))
			}
			for j, v := range row {
				for p := range acc {
					n.fmaLane(v, lanes[p][c/4], c%4, acc[p][i+j])
				}
			}
		}
	}
	n.repeat(l.count, "channels")
	n.unpin(pinned)

	n.label("rest")
	n.line("CBZ %s, done", l.rest)
	n.line("MOVD %s, %s", l.rest, l.count)
	w = n.pin(channelBlock)
	n.label("channel")
	n.line("VLD1.P (%s)(%s), %s", l.w, l.weightRow, n.list(w, "S4"))
	for p, x := range l.x {
		v := n.temp()
		n.line("FMOVS.P 4(%s), F%d", x, v.reg)
		for i := range w {
			n.fmaLane(w[i], v, 0, acc[p][i])
		}
	}
	n.repeat(l.count, "channel")
	n.label("done")
	n.unpin(pinned)
}

// conv computes pixels×16 outputs: for every tap and input channel, one input value a pixel times a row of weights.
// See ConvArgs for the offsets.
func (n *neon) conv(pixels int) {
	a := n.start(n.convName(1, pixels))
	l := n.rowLoop(a, pixels, 72, 56)
	acc := n.sums(pixels)
	out, in, weight := n.field(a, 0), n.field(a, 8), n.field(a, 16)
	taps, ntaps := n.field(a, 24), n.field(a, 32)
	pix, outPix := n.field(a, 40), n.field(a, 48)
	n.line("LSR $1, %s", ntaps)
	// Start from zero or from what is there.
	t := n.field(a, 64)
	n.line("CBNZ %s, load", t)
	for p := range acc {
		n.clear(acc[p])
	}
	n.line("JMP tap")
	n.label("load")
	n.line("MOVD %s, %s", out, t)
	for p := range acc {
		n.line("VLD1.P (%s)(%s), %s", t, outPix, n.list(acc[p], "S4"))
	}
	n.label("tap")
	n.line("LDP.P 16(%s), (%s, %s)", taps, t, l.w)
	n.line("ADD %s, %s", in, t)
	n.line("ADD %s, %s", weight, l.w)
	n.pointers(l.x, t, pix)
	n.multiply(acc, l)
	n.repeat(ntaps, "tap")
	for p := range acc {
		n.line("VST1.P %s, (%s)(%s)", n.list(acc[p], "S4"), out, outPix)
	}
	n.line("RET")
}

// product multiplies, for each of some positions, rows of inputs by a matrix of weights: rows×16 results. See
// ProductArgs for the offsets.
func (n *neon) product(rows int) {
	a := n.start(n.productName(1, rows))
	l := n.rowLoop(a, rows, 56, 48)
	acc := n.sums(rows)
	out, in := n.field(a, 0), n.field(a, 8)
	positions, pix, outPix := n.field(a, 24), n.field(a, 32), n.field(a, 40)
	inNext, outNext := n.field(a, 64), n.field(a, 72)
	n.line("MOVD 16(%s), %s", a, l.w)
	n.label("position")
	for p := range acc {
		n.clear(acc[p])
	}
	n.pointers(l.x, in, pix)
	n.multiply(acc, l)
	for p := range acc {
		if p+1 < rows {
			n.line("VST1.P %s, (%s)(%s)", n.list(acc[p], "S4"), out, outPix)
		} else {
			n.line("VST1.P %s, (%s)(%s)", n.list(acc[p], "S4"), out, outNext)
		}
	}
	// The weights of the next position follow; inputs lie further on.
	n.line("ADD %s, %s, %s", inNext, l.x[0], in)
	n.repeat(positions, "position")
	n.line("RET")
}

// weightGrad adds to a tile of the weight gradient: for every pixel, 4 or 6 channels of its input times a row of 16
// output gradients. See WeightGradArgs for the offsets.
func (n *neon) weightGrad(channels int) {
	a := n.start(n.weightGradName(1, channels, 1))
	acc := n.sums(channels)
	for i := range acc {
		n.clear(acc[i])
	}
	x0, dy0, rows := n.field(a, 8), n.field(a, 16), n.field(a, 24)
	xPix, xRow, dyPix, dyRow := n.field(a, 40), n.field(a, 48), n.field(a, 56), n.field(a, 64)
	const step = 4
	rest, whole, count, x, more, dy := n.field(a, 32), n.gp(), n.gp(), n.gp(), n.gp(), n.gp()
	n.line("LSR $2, %s, %s", rest, whole)
	n.line("AND $%d, %s", step-1, rest)
	pinned := n.pinned
	vectors := (channels + 3) / 4
	pixels := func(many int) {
		sets := min(2, (n.regs-pinned)/(channelBlock+vectors))
		dv, lanes := make([][]vec, sets), make([][]vec, sets)
		for i := range dv {
			dv[i], lanes[i] = n.pin(channelBlock), n.pin(vectors)
		}
		for i := range many {
			d, xs := dv[i%sets], lanes[i%sets]
			n.line("VLD1.P (%s)(%s), %s", dy, dyPix, n.list(d, "S4"))
			n.line("VLD1.P (%s)(%s), %s", x, xPix, n.list(xs[:1], "S4"))
			if channels == 6 {
				n.line("VLD1.P (%s)(%s), %s", more, xPix, n.list(xs[1:], "S2"))
			}
			for j := range d {
				for c := range channels {
					n.fmaLane(d[j], xs[c/4], c%4, acc[c][j])
				}
			}
		}
		n.unpin(pinned)
	}
	n.label("row")
	n.line("MOVD %s, %s", x0, x)
	n.line("ADD $16, %s, %s", x0, more)
	n.line("MOVD %s, %s", dy0, dy)
	n.line("CBZ %s, rest", whole)
	n.line("MOVD %s, %s", whole, count)
	n.label("pixels")
	pixels(step)
	n.repeat(count, "pixels")
	n.label("rest")
	n.line("CBZ %s, next", rest)
	n.line("MOVD %s, %s", rest, count)
	n.label("pixel")
	pixels(1)
	n.repeat(count, "pixel")
	n.label("next")
	n.line("ADD %s, %s", xRow, x0)
	n.line("ADD %s, %s", dyRow, dy0)
	n.repeat(rows, "row")
	n.addSums(a, acc)
	n.line("RET")
}

// addSums adds a tile's sums to the gradient.
func (n *neon) addSums(a string, acc [][]vec) {
	dw, dwInput := n.field(a, 0), n.field(a, 88)
	for _, sum := range acc {
		was := n.pin(channelBlock)
		n.line("VLD1 (%s), %s", dw, n.list(was, "S4"))
		for i := range was {
			n.addTo(was[i], sum[i])
		}
		n.line("VST1.P %s, (%s)(%s)", n.list(sum, "S4"), dw, dwInput)
		n.unpin(n.pinned - channelBlock)
	}
}
