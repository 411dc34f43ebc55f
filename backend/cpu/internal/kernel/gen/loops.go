package main

// group is kernel.Group.
const group = 64

// constant is what a loop holds in a register.
type constant int

const (
	nothing constant = iota
	scalar           // the first coefficient, in all lanes
	zero
)

// channelLoop describes a loop over groups of 64 floats: 64 channels of a pixel, or 2, 4, … pixels of fewer
// channels, with the coefficients repeated to 64. Group g lies g·stride bytes after the first.
type channelLoop[V any] struct {
	name              string
	srcs, coefs, sums int
	k                 constant
	body              func(src, coef, sums []V, k V) V // of one vector: what is written, if there are no sums
}

// channelLoops lists the channel-wise kernels; set.go says what they compute.
func channelLoops[V any](m machine[V]) []channelLoop[V] {
	affine2 := func(src, coef, _ []V, _ V) V {
		v := m.copy(coef[2])
		m.fmaTo(src[1], coef[1], v)
		m.fmaTo(src[0], coef[0], v)
		return v
	}
	affine := func(x, a, b V) V {
		v := m.copy(b)
		m.fmaTo(x, a, v)
		return v
	}
	var none V
	return []channelLoop[V]{
		{"affine", 1, 2, 0, nothing, func(src, coef, _ []V, _ V) V { return affine(src[0], coef[0], coef[1]) }},
		{"affineRelu", 1, 2, 0, zero, func(src, coef, _ []V, k V) V {
			v := affine(src[0], coef[0], coef[1])
			return m.relu(v, k)
		}},
		{"affine2", 2, 3, 0, nothing, affine2},
		{"affine2Add", 3, 3, 0, nothing, func(src, coef, _ []V, k V) V {
			v := affine2(src, coef, nil, k)
			m.addTo(src[2], v)
			return v
		}},
		{"affineMask", 2, 2, 0, zero, func(src, coef, _ []V, k V) V {
			v := affine(src[1], coef[0], coef[1])
			return m.keep(src[0], v, k)
		}},
		{"sum", 1, 0, 1, nothing, func(src, _, sums []V, _ V) V { m.addTo(src[0], sums[0]); return none }},
		{"sumSquares", 1, 1, 1, nothing, func(src, coef, sums []V, _ V) V {
			d := m.sub(src[0], coef[0])
			m.fmaTo(d, d, sums[0])
			return none
		}},
		{"gradSums", 2, 1, 2, nothing, func(src, coef, sums []V, _ V) V {
			v, d := m.copy(src[0]), m.sub(src[1], coef[0])
			m.addTo(v, sums[0])
			m.fmaTo(v, d, sums[1])
			return none
		}},
	}
}

// flatLoop describes a loop over groups of 64 consecutive floats.
type flatLoop[V any] struct {
	name string
	srcs int
	k    constant
	body func(src []V, k V) V // of one vector: what is written
}

// flatLoops lists the flat kernels; set.go says what they compute.
func flatLoops[V any](m machine[V]) []flatLoop[V] {
	return []flatLoop[V]{
		{"add", 2, nothing, func(src []V, _ V) V { return m.add(src[0], src[1]) }},
		{"sub", 2, nothing, func(src []V, _ V) V { return m.sub(src[0], src[1]) }},
		{"mul", 2, nothing, func(src []V, _ V) V { return m.mul(src[0], src[1]) }},
		{"addScalar", 1, scalar, func(src []V, k V) V { return m.add(k, src[0]) }},
		{"mulScalar", 1, scalar, func(src []V, k V) V { return m.mul(k, src[0]) }},
		{"relu", 1, zero, func(src []V, k V) V { return m.relu(src[0], k) }},
		{"reluGrad", 2, zero, func(src []V, k V) V { return m.keep(src[0], m.copy(src[1]), k) }},
	}
}
