// Package rng derives random streams from a seed and a purpose.
package rng

import (
	"hash/fnv"
	"math/rand/v2"
)

// Stream returns the random stream of (seed, purpose, numbers…). Streams are never shared: who
// needs randomness for an epoch or an image derives a stream for it.
func Stream(seed uint64, purpose string, numbers ...int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	var b [8]byte
	for _, n := range numbers {
		for i := range b {
			b[i] = byte(uint64(n) >> (8 * i))
		}
		h.Write(b[:])
	}
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Shuffle returns 0…n-1 in the order of a stream.
func Shuffle(seed uint64, purpose string, n int, numbers ...int) []int {
	return Stream(seed, purpose, numbers...).Perm(n)
}

// Iota returns 0…n-1.
func Iota(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
