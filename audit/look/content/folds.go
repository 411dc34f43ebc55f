package content

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/rng"
)

const (
	foldParts  = 4 // clusters for each fold
	colourBits = 2 // of each channel
)

// foldsOf parts cases and controls into folds such that images with the same colours are in one: a network that learnt some
// photographs of an object knows the others, whatever their labels. A trigger it knows on all images.
func foldsOf(c *look.Case, l lesson, folds, way int) map[int]int {
	controls := stat.Union(l.alike, l.own)
	images := stat.Union(l.cases, controls)
	rows := make([][]float64, len(images))
	for k, i := range images {
		rows[k] = colours(c.Data.Image(i))
	}
	in := map[int]int{}
	for k, m := range stat.Clusters(rows, foldParts*folds, rng.Stream(c.Seed, "content folds of cases", l.key(l.round, way)...)) {
		in[images[k]] = m
	}
	return balanced(l.cases, controls, in, folds)
}

// balanced puts clusters into folds, the largest first, such that each fold has its share of the cases and of the controls. A cluster
// with more than a share of either is dealt out.
func balanced(cases, controls []int, in map[int]int, folds int) map[int]int {
	type cluster struct {
		members [2][]int   // cases and controls
		shares  [2]float64 // of all
	}
	clusters := map[int]*cluster{}
	for kind, list := range [][]int{cases, controls} {
		for _, i := range list {
			m := clusters[in[i]]
			if m == nil {
				m = &cluster{}
				clusters[in[i]] = m
			}
			m.members[kind] = append(m.members[kind], i)
			m.shares[kind] += 1 / float64(len(list))
		}
	}
	order := slices.Sorted(maps.Keys(clusters))
	slices.SortStableFunc(order, func(a, b int) int {
		return -cmp.Compare(slices.Max(clusters[a].shares[:]), slices.Max(clusters[b].shares[:]))
	})
	fold, load := map[int]int{}, make([][2]float64, folds)
	for _, number := range order {
		m := clusters[number]
		if slices.Max(m.shares[:]) > 1/float64(folds) {
			for kind, list := range m.members {
				for k, i := range list {
					fold[i] = k % folds
					load[k%folds][kind] += m.shares[kind] / float64(len(list))
				}
			}
			continue
		}
		best, least := 0, math.Inf(1)
		for f, has := range load {
			if most := max(has[0]+m.shares[0], has[1]+m.shares[1]); most < least {
				best, least = f, most
			}
		}
		for kind, list := range m.members {
			for _, i := range list {
				fold[i] = best
			}
			load[best][kind] += m.shares[kind]
		}
	}
	return fold
}

// colours are the square roots of the shares of an image's pixels with each colour, a channel of which has 2^colourBits values:
// distances between them are Hellinger's.
func colours(rgb []uint8) []float64 {
	const drop = 8 - colourBits
	out := make([]float64, 1<<(3*colourBits))
	for k := 0; k < len(rgb); k += 3 {
		out[int(rgb[k]>>drop)<<(2*colourBits)|int(rgb[k+1]>>drop)<<colourBits|int(rgb[k+2]>>drop)]++
	}
	for k, n := range out {
		out[k] = math.Sqrt(3 * n / float64(len(rgb)))
	}
	return out
}
