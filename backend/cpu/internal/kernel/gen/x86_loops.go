package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// channelKernels writes the channel-wise kernels. Coefficient k of vector i lies at coef + (k·64 + i·lanes)·4.
func channelKernels(s isa) {
	for _, l := range channelLoops[Op](s) {
		a := s.start(l.name+s.name, "")
		count, stride, coefs := field(a, 32), field(a, 40), field(a, 48)
		var dst Register
		if l.sums == 0 {
			dst = field(a, 0)
		}
		src := make([]Register, l.srcs)
		for i := range src {
			src[i] = field(a, 8+8*i)
		}
		k := s.constant(l.k, a)
		passes := s.passes(l.coefs + l.sums)
		per := group / s.lanes / passes
		for pass := range passes {
			at := func(k, i int) int { return (k*group + (pass*per+i)*s.lanes) * 4 }
			coef, sums := make([][]Op, per), make([][]Op, per)
			for i := range per {
				for k := range l.coefs {
					v := s.vec()
					VMOVUPS(Mem{Base: coefs, Disp: at(k, i)}, v)
					coef[i] = append(coef[i], v)
				}
				for range l.sums {
					sums[i] = append(sums[i], s.zero())
				}
			}
			off := GP64()
			XORQ(off, off)
			c := GP64()
			MOVQ(count, c)
			Label(fmt.Sprintf("loop%d", pass))
			for i := range per {
				v := l.body(s.vectors(src, off, at(0, i)), coef[i], sums[i], k)
				if dst != nil {
					VMOVUPS(v, Mem{Base: dst, Index: off, Scale: 1, Disp: at(0, i)})
				}
			}
			ADDQ(stride, off)
			DECQ(c)
			JNE(LabelRef(fmt.Sprintf("loop%d", pass)))
			if l.sums > 0 {
				to := field(a, 56)
				for i := range per {
					for k, v := range sums[i] {
						m := Mem{Base: to, Disp: at(k, i)}
						s.addTo(m, v)
						VMOVUPS(v, m)
					}
				}
			}
		}
		VZEROUPPER()
		RET()
	}
}

// vectors addresses the vectors at off + disp from each base.
func (s isa) vectors(base []Register, off Register, disp int) []Op {
	ms := make([]Op, len(base))
	for j := range ms {
		ms[j] = Mem{Base: base[j], Index: off, Scale: 1, Disp: disp}
	}
	return ms
}

// constant returns a register with what a loop holds all along.
func (s isa) constant(k constant, a Register) Op {
	switch k {
	case scalar:
		v := s.vec()
		VBROADCASTSS(Mem{Base: field(a, 48)}, v)
		return v
	case zero:
		return s.zero()
	}
	return nil
}

// flatKernels writes the flat kernels.
func flatKernels(s isa) {
	for _, l := range flatLoops[Op](s) {
		a := s.start(l.name+s.name, "")
		dst, count := field(a, 0), field(a, 32)
		src := make([]Register, l.srcs)
		for i := range src {
			src[i] = field(a, 8+8*i)
		}
		k := s.constant(l.k, a)
		off := GP64()
		XORQ(off, off)
		Label("loop")
		for disp := 0; disp < group*4; disp += s.bytes() {
			v := l.body(s.vectors(src, off, disp), k)
			VMOVUPS(v, Mem{Base: dst, Index: off, Scale: 1, Disp: disp})
		}
		ADDQ(U32(group*4), off)
		DECQ(count)
		JNE(LabelRef("loop"))
		VZEROUPPER()
		RET()
	}
}
