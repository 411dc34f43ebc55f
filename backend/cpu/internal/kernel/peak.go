package kernel

import (
	"time"
	"unsafe"
)

// Peak measures how many multiplications and additions a second one core can do, out of registers: the best of tries
// that take some milliseconds together.
func (s *Set) Peak() float64 {
	const rounds = 1 << 10
	run, flops := s.productPeak, float64(productFlops)
	if s.peak != nil {
		run = func() { call(s.peak, &Args{Count: rounds}) }
		flops = float64(2 * rounds * s.peakSums)
	}
	best := time.Duration(1 << 62)
	for range 100 {
		start := time.Now()
		run()
		best = min(best, time.Since(start))
	}
	return flops / best.Seconds()
}

const (
	productSide  = 64
	productFlops = 2 * productSide * productSide * productSide
)

// productPeak multiplies matrices of 64 channels out of the first-level cache.
func (s *Set) productPeak() {
	const n = productSide
	var in, weights, out [n * n]float32
	for co := 0; co < n; co += 16 * s.Blocks(n) {
		a := ProductArgs{
			Out: unsafe.Pointer(&out[co]), In: unsafe.Pointer(&in[0]), Weight: unsafe.Pointer(&weights[co]),
			Positions: 1, InRow: n * 4, OutRow: n * 4, WeightRow: n * 4, Channels: n,
		}
		s.Product(&a, s.Blocks(n), n, 0, 0)
	}
}
