// Package kernel holds the innermost loops of the CPU engine: direct convolution, its weight
// gradient, and the channel-wise and flat float32 loops around them.
//
// Each kernel exists four times: AVX-512, AVX2+FMA and NEON assembly written by gen, and plain Go that
// runs everywhere and defines what the others must compute. [Active] says which set the processor
// gets; the environment variable UNPOISON_CPU=avx2|neon|generic forces a lower one.
//
// Kernels see raw memory: the caller owns bounds, alignment is not needed, and the argument
// structs must live on the heap (a worker's state), since the calls go through function values.
package kernel

//go:generate sh -c "cd gen && go run . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg kernel -arm64 ../kernels_arm64"
