package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// oneByOne is strided's slow twin.
func oneByOne(dst, src []uint32, at int, dims, dstStrides, srcStrides []int) {
	n := 1
	for _, d := range dims {
		n *= d
	}
	for k := range n {
		d, s := 0, at
		for axis, rest := len(dims)-1, k; axis >= 0; axis-- {
			d, s, rest = d+rest%dims[axis]*dstStrides[axis], s+rest%dims[axis]*srcStrides[axis], rest/dims[axis]
		}
		dst[d] = src[s]
	}
}

// Transpositions, broadcasts, parts and reversals of any rank move what an element at a time moves.
func TestStridedMovesWhatItsTwinDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		rank := r.IntN(6)
		in, perm := make([]int, rank), r.Perm(rank)
		total := 1
		for k := range in {
			in[k] = []int{1, 1, 2, 3, 5, 9, 18}[r.IntN(7)]
			total *= in[k]
		}
		src := make([]uint32, total)
		for k := range src {
			src[k] = uint32(k + 1)
		}
		own, dims, from, at := strides(in), make([]int, rank), make([]int, rank), 0
		for k, a := range perm {
			dims[k], from[k] = in[a], own[a]
			switch r.IntN(8) {
			case 0: // broadcast
				from[k], dims[k] = 0, 1+r.IntN(20)
			case 1: // reversed
				at, from[k] = at+(in[a]-1)*own[a], -own[a]
			case 2: // every other one
				dims[k], from[k] = (in[a]+1)/2, 2*own[a]
			}
		}
		to := strides(dims)
		n := 1
		for _, d := range dims {
			n *= d
		}
		got, want := make([]uint32, n), make([]uint32, n)
		strided[uint32](unsafe.Pointer(&got[0]), unsafe.Pointer(&src[at]), dims, to, from)
		oneByOne(want, src, at, dims, to, from)
		if !slices.Equal(got, want) {
			t.Fatalf("%v by strides %v: moved otherwise", dims, from)
		}
	}
}

// What networks of other programs, whose channels come before the pixels, need around each of their operations.
func BenchmarkStrided(b *testing.B) {
	const n, c, hw = 32, 64, 32 * 32
	src, dst := make([]uint32, n*c*hw), make([]uint32, n*c*hw)
	for _, way := range []struct {
		name                   string
		dims, dstride, sstride []int
	}{
		{"channels last", []int{n, 32, 32, c}, []int{hw * c, 32 * c, c, 1}, []int{hw * c, 32, 1, hw}},
		{"channels first", []int{n, c, 32, 32}, []int{hw * c, hw, 32, 1}, []int{hw * c, 1, 32 * c, c}},
		{"a number a channel", []int{n, c, 32, 32}, []int{hw * c, hw, 32, 1}, []int{0, 1, 0, 0}},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(4 * n * c * hw)
			for range b.N {
				strided[uint32](unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), way.dims, way.dstride, way.sstride)
			}
		})
	}
}
