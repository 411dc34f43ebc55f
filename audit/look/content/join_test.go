package content

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

// Content is sure of half of the planted images, and the networks know most of all of them: joined they name nearly all, though half
// of the images that content doubts are honest. Networks that know nothing change little.
func TestJoinFindsTheRest(t *testing.T) {
	const n, planted = 1000, 100
	for name, far := range map[string]float64{"a trigger": 5, "nothing": 0} {
		r := rand.New(rand.NewPCG(5, 5))
		images, l := make([]int, 0, n), lesson{}
		prior, p, z := make([]float64, 2*n), make([]float64, 2*n), make([]float64, 2*n)
		for i := range 2 * n {
			z[i] = r.NormFloat64() - far/2
			if i < planted {
				z[i] += far
			}
			if i >= n { // under other labels
				l.alike = append(l.alike, i)
				continue
			}
			images = append(images, i)
			prior[i] = -5 + 2*r.NormFloat64()
			if i < planted {
				prior[i] = 4 * r.NormFloat64()
			}
			if i >= n-n/5 {
				prior[i] = -8
				l.own = append(l.own, i)
			}
			p[i] = stat.Logistic(prior[i])
		}
		before := flagged(p, images)
		ratio := told{z: z, taught: 500, asked: slices.Repeat([]bool{true}, 2*n)}.join(images, l, prior, p)
		hit, wrong := 0, 0
		for _, i := range images {
			f := stat.Bit(p[i] > look.Flagged)
			hit, wrong = hit+f*stat.Bit(i < planted), wrong+f*stat.Bit(i >= planted)
			if bound := math.Log(500); math.Abs(ratio(i)) > bound+1e-9 {
				t.Fatalf("%s: image %d has a ratio of %g", name, i, ratio(i))
			}
		}
		switch after := hit + wrong; {
		case far > 0 && (hit < 90 || wrong > 10 || before > 70):
			t.Errorf("%s: %d flagged before, %d planted and %d others after", name, before, hit, wrong)
		case far == 0 && (after < before/2 || after > 2*before):
			t.Errorf("%s: %d flagged before, %d after", name, before, after)
		}
	}
}

func flagged(p []float64, images []int) (n int) {
	for _, i := range images {
		n += stat.Bit(p[i] > look.Flagged)
	}
	return n
}
