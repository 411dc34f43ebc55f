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

import (
	"flag"
	"log"
	"os"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	arm64 := flag.String("arm64", "", "files of the NEON kernels, without their endings .s and .go")
	flag.Parse()
	ConstraintExpr("amd64")
	for _, s := range x86Sets {
		x86Kernels(s)
	}
	Generate()
	text, stubs := neonKernels()
	for end, content := range map[string]string{".s": text, ".go": stubs} {
		if err := os.WriteFile(*arm64+end, []byte(content), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
