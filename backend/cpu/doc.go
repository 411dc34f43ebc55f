// Package cpu is a GoMLX backend in pure Go for convolutional networks: no cgo, no download, one
// static binary. Importing it registers the backend:
//
//	import _ "github.com/unpoison/unpoison/backend/cpu"
//
// and GOMLX_BACKEND=unpoison-cpu, or backends.NewWithConfig(cpu.Name), selects it. It knows nothing
// of poison and needs nothing else of this module. It uses all of GOMAXPROCS threads, or as many as
// its configuration says: GOMLX_BACKEND=unpoison-cpu:threads=1.
//
// # What it supports
//
// Types: bool, int8, uint8, int32, int64, uint32, uint64, float32, float64. Operations: all
// element-wise ones but bit counts, complex numbers and total-order comparisons; reductions, arg-min
// and -max, broadcasts, transposes, slices, pads, concatenations, gathers and scatters, dot products,
// convolutions of any axis order, stride, padding, dilation and grouping, window reductions and
// their gradients, batch norm on float32, and a random generator of its own. Not: FFT, complex and
// half-precision numbers, and several devices. What is missing ends in an error that names the
// operation.
//
// # What is fast
//
// Float32 images in [batch, height, width, channels] order: convolutions (1-D and 2-D, ungrouped)
// and their gradients, linear layers, batch norm, ReLU and the element-wise operations between them,
// best with channels in multiples of 16. Everything else works, slowly.
//
// Results are the same bits for any number of threads and from run to run. Between instruction sets
// (AVX-512, AVX2, NEON, plain Go; UNPOISON_CPU=avx2, neon or generic chooses one that the processor
// has) they may differ in rounding.
package cpu
