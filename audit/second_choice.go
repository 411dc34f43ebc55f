package audit

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/unpoison/unpoison/defense"
)

// What a network would take an image for if the label that it was trained to give were not there tells wrong labels from
// right ones: images of one class look like the same few others, and not very much; images that were given the label,
// trigger or not, still look like what they are.

// secondChoices returns each image's probabilities of the labels that are not its own, [images][classes], its own's being
// 0, from a network's logits, [images, classes].
func secondChoices(logits []float32, labels []int32) [][]float64 {
	classes := len(logits) / len(labels)
	all := make([][]float64, len(labels))
	for i, own := range labels {
		p := make([]float64, classes)
		for c, z := range logits[i*classes : (i+1)*classes] {
			p[c] = float64(z)
		}
		p[own] = math.Inf(-1)
		floats.AddConst(-floats.LogSumExp(p), p)
		for c, l := range p {
			p[c] = math.Exp(l)
		}
		all[i] = p
	}
	return all
}

// firstChoices returns the class that a network gives each of n images, from its logits, [n, classes].
func firstChoices(logits []float32, n int) []int {
	classes := len(logits) / n
	all := make([]int, n)
	for i := range all {
		z := logits[i*classes : (i+1)*classes]
		all[i] = slices.Index(z, slices.Max(z))
	}
	return all
}

// variety is how much the second choice says about an image of some: the mutual information between the two, H(mean p) −
// mean H(p), as a share of the most that there can be. It is 0 where all images have the same second choice, or none in
// particular, and 1 where each surely has one and all labels come equally often.
func variety(second [][]float64, images []int) float64 {
	if len(images) == 0 || len(second[images[0]]) < 3 {
		return 0
	}
	mean := make([]float64, len(second[images[0]]))
	each := 0.0
	for _, i := range images {
		floats.AddScaled(mean, 1/float64(len(images)), second[i])
		each += stat.Entropy(second[i]) / float64(len(images))
	}
	return max(0, stat.Entropy(mean)-each) / math.Log(float64(len(mean)-1))
}

// varieties returns those of a group's images and of the others under its label.
func (g *group) varieties(second [][]float64) (in, out float64) {
	var sides [2][]int
	for k, i := range g.images {
		b := bit(g.sorted[k] > flagged)
		sides[b] = append(sides[b], i)
	}
	return variety(second, sides[1]), variety(second, sides[0])
}

// turned is the group of the other images.
func (g *group) turned() *group {
	rest := func(p []float64) []float64 {
		out := make([]float64, len(p))
		for k, v := range p {
			out[k] = 1 - v
		}
		return out
	}
	t := *g
	t.p, t.sorted, t.early = rest(g.p), rest(g.sorted), 1-g.early
	return &t
}

// recut is the group whose labels look wrong where isolation misled: of all cuts, which isolation chose among, the one whose
// sides' varieties differ most for their sizes, since chance makes a few images various; and of its sides the one with more.
func (g *group) recut(second [][]float64) *group {
	var best *group
	most := -1.0
	for _, c := range g.cuts {
		in, out := c.varieties(second)
		if out > in {
			c, in, out = c.turned(), out, in
		}
		n, all := 0.0, float64(len(c.images))
		for _, p := range c.sorted {
			n += float64(bit(p > flagged))
		}
		if value := n * (all - n) / all * (in - out); value > most {
			best, most = c, value
		}
	}
	return best
}

// question asks of the labels that the biased network found which of their images look like other classes. A small network
// may learn the look of a class that nothing else resembles, and leave out what was planted: then the label's other images
// are suspected instead, if their labels are plainly wrong, or none. usual is the variety of the labels other than one. It
// returns the labels of which the biased network was not believed.
func (d *detector) question(second [][]float64, found []float32, usual func(class int) float64) []int {
	var changed []int
	targets := decode(d.r.Arrays["targets"], d.r.Data.Classes)
	for k := range targets {
		t := &targets[k]
		if t.By != defense.ByBiased || t.Says != defense.Poisoned {
			continue
		}
		images := d.under(t.Index)
		suspects := indicesOf(images, func(i int) bool { return found[i] > flagged })
		rest := indicesOf(images, func(i int) bool { return found[i] <= flagged })
		if len(rest) < enough { // chance makes a few images various
			continue
		}
		t.Variety, t.RestVariety, t.UsualVariety = variety(second, suspects), variety(second, rest), usual(t.Index)
		if !contradicted(t) {
			continue
		}
		changed = append(changed, t.Index)
		other := *t
		other.By, other.Variety, other.RestVariety = defense.ByLabels, t.RestVariety, t.Variety
		turned := mislabelled(&other)
		for _, i := range images {
			found[i] = float32(bit(turned)) * (1 - found[i])
		}
		if turned {
			*t = other
			tally(t, images, found)
		}
		t.Says = says(t)
		d.r.Note("%s: %s, %d of %d images flagged now: what the biased network found has a variety of %.3f, the label's other images of %.3f (usual %.3f)",
			t.Class, t.Says, t.Flagged, t.Images, min(t.Variety, t.RestVariety), max(t.Variety, t.RestVariety), t.UsualVariety)
	}
	d.r.Arrays["targets"] = encode(targets)
	return changed
}

// mislabelled tells whether a label's suspects look like images of many other labels, and its other images, and those of
// other labels, do not: there, wrong labels may be everywhere.
func mislabelled(t *defense.Target) bool {
	return t.Variety >= max(various, variousUsual*t.UsualVariety, variousRest*t.RestVariety)
}

// contradicted tells whether it is rather the label's other images that do.
func contradicted(t *defense.Target) bool {
	return t.RestVariety >= max(various, variousRest*max(t.Variety, t.UsualVariety))
}
