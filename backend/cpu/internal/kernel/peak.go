package kernel

import (
	"time"
	"unsafe"
)

// Peak measures how many multiplications and additions a second one core can do: products of 64 channels out of
// the first-level cache, the best of tries that take some milliseconds together.
func (s *Set) Peak() float64 {
	const n, rounds = 64, 8
	var in, weights, out [n * n]float32
	best := time.Duration(1 << 62)
	for range 50 {
		start := time.Now()
		for range rounds {
			for co := 0; co < n; co += 16 * s.Blocks(n) {
				a := ProductArgs{
					Out: unsafe.Pointer(&out[co]), In: unsafe.Pointer(&in[0]), Weight: unsafe.Pointer(&weights[co]),
					Positions: 1, InRow: n * 4, OutRow: n * 4, WeightRow: n * 4, Channels: n,
				}
				s.Product(&a, s.Blocks(n), n, 0, 0)
			}
		}
		best = min(best, time.Since(start))
	}
	return 2 * n * n * n * rounds / best.Seconds()
}
