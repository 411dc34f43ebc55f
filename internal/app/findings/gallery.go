package findings

import (
	"slices"

	"github.com/unpoison/unpoison/dataset"
)

const (
	compareSide  = 8    // pixels a side of the pictures that are compared
	mostCompared = 2000 // images of a gallery: shrinking a photograph takes milliseconds
)

// Gallery is images of a set that others are compared with; of more than mostCompared, that many, evenly.
type Gallery struct {
	set    *dataset.Set
	images []int
	small  [][]uint8
}

// NewGallery makes a gallery of some images of a set.
func NewGallery(set *dataset.Set, images []int) *Gallery {
	g := &Gallery{set: set, images: spread(images, mostCompared)}
	for _, i := range g.images {
		g.small = append(g.small, g.shrunk(i))
	}
	return g
}

// Nearest returns up to n images that are most similar to image i of the set, nearest first, without those that skip names.
func (g *Gallery) Nearest(i, n int, skip func(other int) bool) []int {
	type candidate struct{ image, distance int }
	var best []candidate // nearest first
	own := g.shrunk(i)
	for c, other := range g.images {
		d := distance(own, g.small[c])
		if len(best) == n && d >= best[n-1].distance || skip(other) {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, d, func(b candidate, d int) int { return b.distance - d })
		best = slices.Insert(best, at, candidate{other, d})
		best = best[:min(len(best), n)]
	}
	var images []int
	for _, b := range best {
		images = append(images, b.image)
	}
	return images
}

func (g *Gallery) shrunk(i int) []uint8 {
	return dataset.Resize(g.set.Image(i), g.set.Height, g.set.Width, compareSide, compareSide)
}

// distance is the sum of squared differences of two shrunk images.
func distance(a, b []uint8) int {
	d := 0
	for p, v := range a {
		e := int(v) - int(b[p])
		d += e * e
	}
	return d
}

// spread returns n images of all, evenly.
func spread(all []int, n int) []int {
	if len(all) <= n {
		return all
	}
	out := make([]int, n)
	for k := range out {
		out[k] = all[k*len(all)/n]
	}
	return out
}
