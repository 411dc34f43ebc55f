package content

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

const (
	foldParts  = 4 // clusters for each fold
	colourBits = 2 // of each channel
	thumbnail  = 8 // pixels of its side
)

// foldsOf parts cases and controls into folds such that images with the same colours are in one: a network that learnt some
// photographs of an object knows the others, whatever their labels. A trigger it knows on all images. Where more than a fold's share
// have the same colours, those that look alike are in one.
func foldsOf(c *look.Case, l lesson, folds, way int) map[int]int {
	controls := stat.Union(l.alike, l.own)
	images := stat.Union(l.cases, controls)
	rows := make([][]float64, len(images))
	for k, i := range images {
		rows[k] = colours(c.Data.Image(i))
	}
	parted := func(rows [][]float64, numbers ...int) map[int]int {
		in := map[int]int{}
		r := rng.Stream(c.Seed, "content folds of cases", l.key(append([]int{l.round, way}, numbers...)...)...)
		for k, m := range stat.Clusters(rows, foldParts*folds, r) {
			in[images[k]] = m
		}
		return in
	}
	in := parted(rows)
	var like map[int]int // as thumbnails
	for number, m := range clustersOf(l.cases, controls, in) {
		if m.most() <= 1/float64(folds) {
			continue
		}
		if like == nil {
			for k, i := range images {
				rows[k] = thumb(c.Data, i)
			}
			like = parted(rows, 1)
		}
		for _, i := range slices.Concat(m.members[:]...) {
			in[i] = foldParts*folds*(1+number) + like[i]
		}
	}
	for i, number := range l.kin { // −1: no number of a cluster is negative
		in[i] = -1 - number
	}
	return balanced(l.cases, controls, in, folds)
}

// cluster are images that look alike.
type cluster struct {
	members [2][]int   // cases and controls
	shares  [2]float64 // of all
}

// most is the larger share.
func (c *cluster) most() float64 { return max(c.shares[0], c.shares[1]) }

// clustersOf lists the clusters that images are in, by their numbers.
func clustersOf(cases, controls []int, in map[int]int) map[int]*cluster {
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
	return clusters
}

// balanced puts clusters into folds, the largest first, such that each fold has its share of the cases and of the controls, or what is
// left where one cluster has more.
func balanced(cases, controls []int, in map[int]int, folds int) map[int]int {
	clusters := clustersOf(cases, controls, in)
	order := slices.Sorted(maps.Keys(clusters))
	slices.SortStableFunc(order, func(a, b int) int { return -cmp.Compare(clusters[a].most(), clusters[b].most()) })
	fold, load := map[int]int{}, make([][2]float64, folds)
	for _, number := range order {
		m := clusters[number]
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

// thumb is a small copy of an image.
func thumb(set *dataset.Set, i int) []float64 {
	row := make([]float64, 0, 3*thumbnail*thumbnail)
	for _, v := range dataset.Resize(set.Image(i), set.Height, set.Width, thumbnail, thumbnail) {
		row = append(row, float64(v))
	}
	return row
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
