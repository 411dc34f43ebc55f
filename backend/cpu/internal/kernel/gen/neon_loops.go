package main

import "fmt"

// inPairs writes a loop's body for count vectors from byte off of each source on, two at a time: pairs load and store
// at once. body sees the index of the vector; to is empty where nothing is written.
func (n *neon) inPairs(src []string, to string, off, count int, body func(i int, src []vec) vec) {
	for i := 0; i < count; i += 2 {
		var operands [2][]vec
		for _, s := range src {
			a, b := n.temp(), n.temp()
			n.loadPair(s, off+16*i, a, b)
			a.loaded, b.loaded = true, true
			operands[0], operands[1] = append(operands[0], a), append(operands[1], b)
		}
		a, b := body(i, operands[0]), body(i+1, operands[1])
		if to != "" {
			n.storePair(a, b, to, off+16*i)
		}
	}
}

// channelKernels writes the channel-wise kernels. Coefficient k of vector i lies at coef + (k·64 + i·4)·4.
func (n *neon) channelKernels() {
	for _, l := range channelLoops(machine[vec](n)) {
		a := n.start(l.name + n.name)
		count, stride, coefs := n.field(a, 32), n.field(a, 40), n.field(a, 48)
		offsets := []int{8, 16, 24}[:l.srcs]
		if l.sums == 0 {
			offsets = append(offsets, 0)
		}
		p, c := n.gps(len(offsets)), n.gp()
		src, dst := p[:l.srcs], ""
		if l.sums == 0 {
			dst = p[l.srcs]
		}
		k := n.constant(l.k, a)
		passes := n.passes(l.coefs + l.sums)
		per := group / n.lanes / passes
		pinned := n.pinned
		for pass := range passes {
			off := pass * per * 16
			rows := func(k int) [][]vec { // of a pass's coefficients or sums
				r := make([][]vec, k)
				for i := range r {
					r[i] = n.pin(per)
				}
				return r
			}
			coef, sums := rows(l.coefs), rows(l.sums)
			for k, row := range coef {
				for i := 0; i < per; i += 2 {
					n.loadPair(coefs, k*group*4+off+16*i, row[i], row[i+1])
				}
			}
			for _, row := range sums {
				n.clear(row)
			}
			for i, r := range p {
				n.line("MOVD %d(%s), %s", offsets[i], a, r)
			}
			n.line("MOVD %s, %s", count, c)
			loop := fmt.Sprintf("loop%d", pass)
			n.label(loop)
			n.inPairs(src, dst, off, per, func(i int, src []vec) vec { return l.body(src, vectorOf(coef, i), vectorOf(sums, i), k) })
			for _, r := range p {
				n.line("ADD %s, %s", stride, r)
			}
			n.repeat(c, loop)
			if l.sums > 0 {
				n.line("MOVD 56(%s), %s", a, c)
			}
			for s, row := range sums {
				n.inPairs([]string{c}, c, s*group*4+off, per, func(i int, src []vec) vec { n.addTo(src[0], row[i]); return row[i] })
			}
			n.unpin(pinned)
		}
		n.line("RET")
	}
}

// constant returns a register with what a loop holds all along.
func (n *neon) constant(k constant, a string) vec {
	if k == nothing {
		return vec{}
	}
	v := n.pin(1)
	if k == scalar {
		n.line("VLD1R (%s), %s", n.field(a, 48), n.list(v, "S4"))
	} else {
		n.clear(v)
	}
	return v[0]
}

// vectorOf returns vector i of each row.
func vectorOf(rows [][]vec, i int) []vec {
	v := make([]vec, len(rows))
	for k := range v {
		v[k] = rows[k][i]
	}
	return v
}

// peak multiplies and adds in registers.
func (n *neon) peak() {
	a := n.start("peak" + n.name)
	count, acc, x := n.field(a, 32), n.pin(n.peakSums()), n.pin(1)
	n.clear(append(acc, x...))
	n.label("loop")
	for _, v := range acc {
		n.fmaTo(x[0], x[0], v)
	}
	n.repeat(count, "loop")
	n.line("RET")
}

// flatKernels writes the flat kernels.
func (n *neon) flatKernels() {
	for _, l := range flatLoops(machine[vec](n)) {
		a := n.start(l.name + n.name)
		k := n.constant(l.k, a)
		dst, count := n.field(a, 0), n.field(a, 32)
		src := make([]string, l.srcs)
		for i := range src {
			src[i] = n.field(a, 8+8*i)
		}
		n.label("loop")
		n.inPairs(src, dst, 0, group/n.lanes, func(_ int, src []vec) vec { return l.body(src, k) })
		for _, r := range append(src, dst) {
			n.line("ADD $%d, %s", group*4, r)
		}
		n.repeat(count, "loop")
		n.line("RET")
	}
}
