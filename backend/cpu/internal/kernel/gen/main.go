// Command gen writes the assembly kernels of package kernel.
//
//	go generate ./backend/cpu/internal/kernel
//
// Every kernel exists for AVX-512 and for AVX2+FMA and takes one pointer to an argument struct,
// whose layout is declared once, here and in args.go: the two go together.
package main

import (
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
		for blocks := 1; blocks <= 2; blocks++ {
			for _, p := range convPixels(s, blocks) {
				product(s, blocks, p)
			}
		}
		winograd(s)
		for _, t := range weightGradTiles(s) {
			weightGrad(s, t[0], t[1], t[2])
		}
		channelKernels(s)
		flatKernels(s)
	}
	Generate()
}
