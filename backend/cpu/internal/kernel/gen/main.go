// Command gen writes the assembly kernels of package kernel.
//
//	go generate ./backend/cpu/internal/kernel
//
// Every kernel exists for AVX-512, for AVX2+FMA and for NEON and takes one pointer to an argument struct,
// whose layout is declared once, here and in args.go: the two go together.
//
// What a kernel of vectors computes is said once for all sets (loops.go, winograd.go) in terms of a machine. Those of
// convolutions, products and weight gradients share their shapes (shapes.go) and differ in how inputs meet weights.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64")
	for _, s := range x86Sets {
		x86Kernels(s)
	}
	Generate()
}
