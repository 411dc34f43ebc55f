package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

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

func (s isa) clear(v Op) {
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

func (s isa) copy(v Op) Op { r := s.vec(); VMOVUPS(v, r); return r }

// binary computes f of a and b; f takes the second operand first, as Go's assembler does.
func (s isa) binary(f func(ops ...Op), a, b Op) Op {
	r := s.vec()
	if _, memory := a.(Mem); memory {
		VMOVUPS(a, r)
		a = r
	}
	f(b, a, r)
	return r
}

func (s isa) add(a, b Op) Op    { return s.binary(VADDPS, a, b) }
func (s isa) sub(a, b Op) Op    { return s.binary(VSUBPS, a, b) }
func (s isa) mul(a, b Op) Op    { return s.binary(VMULPS, a, b) }
func (s isa) addTo(v, to Op)    { VADDPS(v, to, to) }
func (s isa) subTo(v, to Op)    { VSUBPS(v, to, to) }
func (s isa) fmaTo(a, b, to Op) { VFMADD231PS(a, b, to) }
func (s isa) zero() Op          { v := s.vec(); s.clear(v); return v }

func (s isa) relu(v, zero Op) Op {
	r := v
	if _, memory := v.(Mem); memory {
		r = s.vec()
	}
	VMAXPS(v, zero, r) // in this order, since NaN is what the first is, if any is
	return r
}

func (s isa) keep(v, where, zero Op) Op {
	const notLess = 13
	if s.wide {
		k, r := K(), s.vec()
		VCMPPS(Imm(notLess), zero, where, k)
		VMOVUPS_Z(v, k, r)
		return r
	}
	VCMPPS(Imm(notLess), zero, where, where)
	VANDPS(v, where, where)
	return where
}

// peak multiplies and adds in registers.
func (s isa) peak() {
	a := s.start("peak"+s.name, "")
	count := field(a, 32)
	x, acc := s.zero(), s.vecs(s.peakSums())
	for _, v := range acc {
		s.clear(v)
	}
	Label("loop")
	for _, v := range acc {
		s.fmaTo(x, x, v)
	}
	DECQ(count)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// x86Kernels writes all kernels of a set.
func x86Kernels(s isa) {
	for blocks := 1; blocks <= 2; blocks++ {
		for _, p := range s.convPixels(blocks) {
			conv(s, blocks, p)
		}
	}
	for blocks := 1; blocks <= 2; blocks++ {
		for _, r := range s.convPixels(blocks) {
			product(s, blocks, r)
		}
	}
	x86Winograd(s)
	for _, t := range s.weightGradTiles() {
		weightGrad(s, t[0], t[1], t[2])
	}
	channelKernels(s)
	flatKernels(s)
	s.peak()
}
