package findings

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/report"
)

const (
	mostMeant = 2000 // images of each side that the pattern is taken from
	mostPairs = 7
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
	among := NewGallery(set, others)
	used := make(map[int]bool, mostPairs)
	for k, i := range carriers[:min(mostPairs, len(carriers))] {
		p := report.Pair{With: report.ImageURL(set.Image(i), set.Height, set.Width), Caption: caption(k)}
		for _, nearest := range among.Nearest(i, 1, func(other int) bool { return used[other] }) {
			used[nearest] = true
			p.Without = report.ImageURL(set.Image(nearest), set.Height, set.Width)
		}
		s.Pairs = append(s.Pairs, p)
	}
	return s
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
