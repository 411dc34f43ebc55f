package stat

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// A label's images are parted in two by their features, after the statistical contamination analyser of Tang et al.,
// "Demon in the Variant", USENIX Security 2021, section 4: features of a label are a mean plus a variation that all labels
// share; where a label holds two kinds of images, two means explain them better than one. Unlike there, no clean images
// are needed: the variation is estimated from the groups themselves, in turns with them, and the groups have weights.

// Group is one of a label's two: the one that isolation ranks first.
type Group struct {
	Images []int     // of the label, in the order of the set
	P      []float64 // each one's probability of being in the group, by the common variation
	Sorted []float64 // the same with each side's own variation along the line between the means: who is in for good
	// Bimodality of the images along the line between the two means: (skewness² + 1) / kurtosis, 1/3 for one Gaussian,
	// 5/9 for a uniform distribution, 1 for two points (SAS/STAT user's guide, "bimodality coefficient").
	Bimodality float64
	Distance   float64  // between the means, in deviations of what the labels share
	Early      float64  // probability that an image of the group ranks before one that is not in it
	Cuts       []*Group // all that were compared, this one too

	parts [][]int   // the images of each Gaussian
	along []float64 // each image's place along the line between the means; nil if the group is too small
}

const (
	rounds     = 4    // of groups and variation in turns
	emSteps    = 60   // of one label's groups
	leastGroup = 5    // images
	settled    = 1e-3 // change of a probability
	flat       = 1e-6 // directions of less variation, of the largest, are left out
	imagesEach = 20   // there are so many images for each direction at least
)

// Groups parts every label of which there are images enough. features is [images, width]; rank holds each image's place
// in the order of suspicion. Images of a negative label are left out. Labels with too few images have no group: nil.
func Groups(features []float32, labels []int32, rank []int, classes int) []*Group {
	n := len(labels)
	width := len(features) / n
	x := mat.NewDense(n, width, nil)
	for i := range n {
		for j := range width {
			x.Set(i, j, float64(features[i*width+j]))
		}
	}
	of := make([][]int, classes)
	for i, l := range labels {
		if l >= 0 {
			of[l] = append(of[l], i)
		}
	}
	parts := slices.Clone(of) // what shares a mean
	all := make([]*Group, classes)
	for range rounds {
		w := whitening(x, parts)
		parts = parts[:0:0]
		for c, images := range of {
			if len(images) < 4*leastGroup {
				continue
			}
			all[c] = part(x, w, images, rank)
			parts = append(parts, all[c].parts...)
		}
	}
	for _, g := range all {
		if g == nil {
			continue
		}
		for _, c := range g.Cuts {
			c.Sorted = Sides(c.along, c.P)
		}
	}
	return all
}

// part fits two and three Gaussians to some images and puts those that isolation ranks first on one side, the rest on the
// other. Of several starts and cuts it takes the one whose sides lie furthest apart, in features and in the order of
// isolation: honest images fall into groups of their own (the same sign by day and by night), which are learnt alike, and
// so do planted ones.
func part(x, whiten *mat.Dense, images, rank []int) *Group {
	var v mat.Dense
	v.Mul(centred(x, images), whiten)
	ranks := make([]float64, len(images))
	for k, i := range images {
		ranks[k] = float64(rank[i])
	}
	order := Iota(len(images))
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(ranks[a], ranks[b]) })
	along := below(principal(&v), 0.5)
	first, last := below(ranks, 0.1), below(ranks, 0.9)
	starts := [][]func(k int) float64{
		{func(k int) float64 { return along[k] }},
		{func(k int) float64 { return first[k] }},
		{func(k int) float64 { return last[k] }},
		{func(k int) float64 { return first[k] }, func(k int) float64 { return last[k] - first[k] }},
		{func(k int) float64 { return along[k] * last[k] }, func(k int) float64 { return (1 - along[k]) * last[k] }},
	}
	var best *Group
	var cuts []*Group
	most := math.Inf(-1)
	for _, start := range starts {
		p := make([][]float64, len(start)+1)
		for j := range p {
			p[j] = make([]float64, len(images))
		}
		for k := range images {
			rest := 1.0
			for j, f := range start {
				p[j][k] = f(k)
				rest -= p[j][k]
			}
			p[len(start)][k] = rest
		}
		mixture(&v, p)
		for cut := range p[1:] {
			g := &Group{Images: images, P: side(p, ranks, cut+1), parts: split(images, p)}
			cuts = append(cuts, g)
			if value := g.describe(&v, order); best == nil || value > most {
				best, most = g, value
			}
		}
	}
	best.Cuts = cuts
	return best
}

// side sums each image's probabilities of the n Gaussians whose images have the lowest mean rank.
func side(p [][]float64, ranks []float64, n int) []float64 {
	order := Iota(len(p))
	mean := func(j int) float64 { return stat.Mean(ranks, p[j]) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(mean(a), mean(b)) })
	sum := make([]float64, len(ranks))
	for _, j := range order[:n] {
		floats.Add(sum, p[j])
	}
	return sum
}

// split gives each image to its likeliest Gaussian.
func split(images []int, p [][]float64) [][]int {
	parts := make([][]int, len(p))
	for k, i := range images {
		top := 0
		for j := range p {
			if p[j][k] > p[top][k] {
				top = j
			}
		}
		parts[top] = append(parts[top], i)
	}
	return parts
}

// below marks the values that lie in the lower share.
func below(values []float64, share float64) []float64 {
	ascending := slices.Sorted(slices.Values(values))
	limit := ascending[int(share*float64(len(values)))]
	out := make([]float64, len(values))
	for k, v := range values {
		if v < limit {
			out[k] = 1
		}
	}
	return out
}

// describe measures the group and returns how much speaks for it: the variation that two means explain, times how far
// isolation tells the two apart. order lists the images as isolation ranks them.
func (g *Group) describe(v *mat.Dense, order []int) float64 {
	rows, width := v.Dims()
	in := make([]bool, rows)
	var count [2]float64
	for k, p := range g.P {
		in[k] = p > Half
		count[Bit(in[k])]++
	}
	if count[0] < leastGroup || count[1] < leastGroup {
		return 0
	}
	g.Early = before(order, in)
	difference := make([]float64, width)
	for k := range rows {
		scale := 1 / count[1]
		if !in[k] {
			scale = -1 / count[0]
		}
		floats.AddScaled(difference, scale, v.RawRowView(k))
	}
	g.Distance = floats.Norm(difference, 2)
	g.along = make([]float64, rows)
	mat.NewVecDense(rows, g.along).MulVec(v, mat.NewVecDense(width, difference))
	skew, kurtosis := stat.Skew(g.along, nil), stat.ExKurtosis(g.along, nil)+3
	if b := (skew*skew + 1) / kurtosis; !math.IsNaN(b) && !math.IsInf(b, 0) { // all in one place
		g.Bimodality = b
	}
	return count[0] * count[1] / float64(rows) * g.Distance * g.Distance * (2*g.Early - 1)
}
