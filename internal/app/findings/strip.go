package findings

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/report"
)

// Images are compared on pictures of compareSide pixels a side.
const (
	compareSide = 8
	mostMeant   = 2000 // images of each side that the pattern is taken from
	mostPairs   = 7
)

// Strip shows what some images of a label have in common: the difference of their mean from that of the others, and pairs of an
// image that carries it and the most similar one that does not. caption is what stands under a carrier, by its place.
func Strip(set *dataset.Set, carriers, others []int, caption func(k int) string) report.Strip {
	s := report.Strip{Photo: report.Photo(set.Height, set.Width)}
	if len(carriers) == 0 {
		return s
	}
	with, without := spread(carriers, mostMeant), spread(others, mostMeant)
	if len(others) > 0 {
		s.Pattern, s.Gain = pattern(set, with, without)
	}
	small := make([][]uint8, len(without))
	for k, i := range without {
		small[k] = Shrunk(set, i)
	}
	used := make([]bool, len(without))
	for k, i := range carriers[:min(mostPairs, len(carriers))] {
		p := report.Pair{With: report.ImageURL(set.Image(i), set.Height, set.Width), Caption: caption(k)}
		own, best, nearest := Shrunk(set, i), -1, math.MaxInt
		for c := range without {
			if d := Distance(own, small[c]); !used[c] && d < nearest {
				best, nearest = c, d
			}
		}
		if best >= 0 {
			used[best] = true
			p.Without = report.ImageURL(set.Image(without[best]), set.Height, set.Width)
		}
		s.Pairs = append(s.Pairs, p)
	}
	return s
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

// Shrunk is an image so small that a few hundred thousand can be compared.
func Shrunk(set *dataset.Set, i int) []uint8 {
	return dataset.Resize(set.Image(i), set.Height, set.Width, compareSide, compareSide)
}

// Distance is the sum of squared differences of two shrunk images.
func Distance(a, b []uint8) int {
	d := 0
	for p, v := range a {
		e := int(v) - int(b[p])
		d += e * e
	}
	return d
}

// pattern is the difference of two means around grey, made as strong as it can be shown, up to 16 times. Unless it is clear,
// what chance leaves of it is no stronger than that.
func pattern(set *dataset.Set, with, without []int) (url template.URL, gain string) {
	diff := mean(set, with)
	for k, v := range mean(set, without) {
		diff[k] -= v
	}
	size := make([]float64, len(diff))
	for k, v := range diff {
		size[k] = math.Abs(v)
	}
	slices.Sort(size)
	const most, room = 16, 110 // of 128 on each side of grey
	strong := size[len(size)*998/1000]
	g := math.Max(1, math.Floor(math.Min(most, room/math.Max(strong, 1))))
	img := make([]uint8, len(diff))
	for k, v := range diff {
		img[k] = uint8(min(255, max(0, 128.5+g*v)))
	}
	if g > 1 {
		gain = fmt.Sprintf("×\u2009%.0f", g)
	}
	return report.ImageURL(img, set.Height, set.Width), gain
}

func mean(set *dataset.Set, images []int) []float64 {
	sum := make([]float64, set.ImageBytes())
	for _, i := range images {
		for k, v := range set.Image(i) {
			sum[k] += float64(v)
		}
	}
	for k := range sum {
		sum[k] /= float64(len(images))
	}
	return sum
}
