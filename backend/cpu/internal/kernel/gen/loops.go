package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

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
}
