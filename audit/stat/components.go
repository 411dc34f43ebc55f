package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/unpoison/unpoison/rng"
)

const (
	components = 8         // that are looked at
	power      = 8         // times the covariance is applied, after which those with much more variation than the next are found
	sampled    = 4_000_000 // coefficients that they are learnt from, at most
	fewImages  = 20        // but of so many images at least
)

// Components returns the directions of the most variation among some images, in units of the coefficients' deviations, by
// subspace iteration (Golub and Van Loan, Matrix Computations, section 8.2.4).
func (s *Spectra) Components(images []int, seed uint64, half int) []Direction {
	images = images[:min(len(images), max(fewImages, sampled/s.Size()))]
	t := s.Transform()
	mean := make([]float64, s.Size())
	white := make([][]float64, len(images))
	for k, i := range images {
		white[k] = slices.Clone(t.Image(i))
		floats.AddScaled(mean, 1/float64(len(images)), white[k])
	}
	for _, z := range white {
		for k := range z {
			z[k] = (z[k] - mean[k]) / math.Sqrt(s.variance[k])
		}
	}
	r := rng.Stream(seed, "components", half)
	basis := make([][]float64, components)
	for a := range basis {
		basis[a] = make([]float64, s.Size())
		for k := range basis[a] {
			basis[a][k] = r.NormFloat64()
		}
	}
	orthonormal(basis)
	for range power {
		next := make([][]float64, components)
		for a := range next {
			next[a] = make([]float64, s.Size())
		}
		for _, z := range white {
			for a, v := range basis {
				floats.AddScaled(next[a], floats.Dot(v, z), z)
			}
		}
		orthonormal(next)
		basis = next
	}
	all := make([]Direction, components)
	for a, v := range basis {
		for k := range v {
			v[k] /= math.Sqrt(s.variance[k])
		}
		all[a] = Direction{v, floats.Dot(v, mean)}
	}
	return all
}

// orthonormal makes vectors so, each against those before it (modified Gram–Schmidt).
func orthonormal(vectors [][]float64) {
	for a, v := range vectors {
		for _, u := range vectors[:a] {
			floats.AddScaled(v, -floats.Dot(u, v), u)
		}
		floats.Scale(1/max(floats.Norm(v, 2), math.SmallestNonzeroFloat64), v)
	}
}
