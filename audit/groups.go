package audit

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/isolate"
)

// A label's images are parted in two by their features, after the statistical contamination analyser of Tang et al.,
// "Demon in the Variant", USENIX Security 2021, section 4: features of a label are a mean plus a variation that all labels
// share; where a label holds two kinds of images, two means explain them better than one. Unlike there, no clean images
// are needed: the variation is estimated from the groups themselves, in turns with them, and the groups have weights.

// group is one of a label's two: the one that isolation ranks first.
type group struct {
	images []int     // of the label, in the order of the set
	p      []float64 // each one's probability of being in the group, by the common variation
	sorted []float64 // the same with each side's own variation along the line between the means: who is in for good
	parts  [][]int   // the images of each Gaussian
	along  []float64 // each image's place along the line between the means; nil if the group is too small
	// Bimodality of the images along the line between the two means: (skewness² + 1) / kurtosis, 1/3 for one Gaussian,
	// 5/9 for a uniform distribution, 1 for two points (SAS/STAT user's guide, "bimodality coefficient").
	bimodality float64
	distance   float64  // between the means, in deviations of what the labels share
	early      float64  // probability that isolation ranks an image of the group before one that is not in it
	cuts       []*group // all that were compared, this one too
}

const (
	rounds     = 4    // of groups and variation in turns
	emSteps    = 60   // of one label's groups
	leastGroup = 5    // images
	settled    = 1e-3 // change of a probability
	flat       = 1e-6 // directions of less variation, of the largest, are left out
	imagesEach = 20   // there are so many images for each direction at least
)

// groups parts every label of which there are images enough. features is [images, width]; rank holds each image's place
// in the order of suspicion. Images of a negative label are left out. Labels with too few images have no group: nil.
func groups(features []float32, labels []int32, rank []int, classes int) []*group {
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
	all := make([]*group, classes)
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
		for _, c := range g.cuts {
			c.sorted = sorted(c.along, c.p)
		}
	}
	return all
}

// whitening returns the map under which the rows of each part vary by one deviation in every direction, around the
// part's mean, [width, directions].
func whitening(x *mat.Dense, parts [][]int) *mat.Dense {
	_, width := x.Dims()
	sum := mat.NewSymDense(width, nil)
	n := 0
	for _, part := range parts {
		if len(part) < 2 {
			continue
		}
		rows := centred(x, part)
		var s mat.SymDense
		s.SymOuterK(1, rows.T())
		sum.AddSym(sum, &s)
		n += len(part) - 1
	}
	var e mat.EigenSym
	if n == 0 || !e.Factorize(sum, true) {
		return eye(width)
	}
	values := e.Values(nil) // ascending
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	first := max(0, width-max(1, n/imagesEach))
	for first < width-1 && values[first] <= flat*values[width-1] {
		first++
	}
	if values[width-1] <= 0 {
		return eye(width)
	}
	w := mat.NewDense(width, width-first, nil)
	for j := first; j < width; j++ {
		scale := math.Sqrt(float64(n) / values[j])
		for i := range width {
			w.Set(i, j-first, vectors.At(i, j)*scale)
		}
	}
	return w
}

func eye(n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n {
		m.Set(i, i, 1)
	}
	return m
}

// centred copies rows and takes their mean off.
func centred(x *mat.Dense, rows []int) *mat.Dense {
	_, width := x.Dims()
	out := mat.NewDense(len(rows), width, nil)
	mean := make([]float64, width)
	for _, i := range rows {
		for j, v := range x.RawRowView(i) {
			mean[j] += v / float64(len(rows))
		}
	}
	for k, i := range rows {
		to := out.RawRowView(k)
		for j, v := range x.RawRowView(i) {
			to[j] = v - mean[j]
		}
	}
	return out
}

// part fits two and three Gaussians to some images and puts those that isolation ranks first on one side, the rest on the
// other. Of several starts and cuts it takes the one whose sides lie furthest apart, in features and in the order of
// isolation: honest images fall into groups of their own (the same sign by day and by night), which are learnt alike, and
// so do planted ones.
func part(x, whiten *mat.Dense, images, rank []int) *group {
	var v mat.Dense
	v.Mul(centred(x, images), whiten)
	ranks := make([]float64, len(images))
	for k, i := range images {
		ranks[k] = float64(rank[i])
	}
	order := isolate.Iota(len(images))
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
	var best *group
	var cuts []*group
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
			g := &group{images: images, p: side(p, ranks, cut+1), parts: split(images, p)}
			cuts = append(cuts, g)
			if value := g.describe(&v, order); best == nil || value > most {
				best, most = g, value
			}
		}
	}
	best.cuts = cuts
	return best
}

// side sums each image's probabilities of the n Gaussians whose images have the lowest mean rank.
func side(p [][]float64, ranks []float64, n int) []float64 {
	order := isolate.Iota(len(p))
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

// principal returns each row's place along the direction of the largest variation.
func principal(v *mat.Dense) []float64 {
	rows, width := v.Dims()
	var s mat.SymDense
	s.SymOuterK(1, v.T())
	var e mat.EigenSym
	along := make([]float64, rows)
	if !e.Factorize(&s, true) {
		return along
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	mat.NewVecDense(rows, along).MulVec(v, vectors.ColView(width-1))
	return along
}

// mixture fits Gaussians of unit variation to the rows of v by expectation and maximisation, from the probabilities p of
// being in each, which it improves. It stops where one has hardly an image.
func mixture(v *mat.Dense, p [][]float64) {
	rows, width := v.Dims()
	weight, means := make([]float64, len(p)), make([][]float64, len(p))
	l := make([]float64, len(p))
	for range emSteps {
		for j := range p {
			weight[j], means[j] = floats.Sum(p[j]), make([]float64, width)
			if weight[j] < leastGroup {
				return
			}
			for k, q := range p[j] {
				floats.AddScaled(means[j], q/weight[j], v.RawRowView(k))
			}
		}
		change := 0.0
		for k := range rows {
			for j := range p {
				d := floats.Distance(v.RawRowView(k), means[j], 2)
				l[j] = math.Log(weight[j]/float64(rows)) - d*d/2
			}
			all := floats.LogSumExp(l)
			for j := range p {
				q := math.Exp(l[j] - all)
				change = max(change, math.Abs(q-p[j][k]))
				p[j][k] = q
			}
		}
		if change < settled {
			return
		}
	}
}

// describe measures the group and returns how much speaks for it: the variation that two means explain, times how far
// isolation tells the two apart. order lists the images as isolation ranks them.
func (g *group) describe(v *mat.Dense, order []int) float64 {
	rows, width := v.Dims()
	in := make([]bool, rows)
	var count [2]float64
	for k, p := range g.p {
		in[k] = p > flagged
		count[bit(in[k])]++
	}
	if count[0] < leastGroup || count[1] < leastGroup {
		return 0
	}
	g.early = evaluate.RankQuality(order, 0, in).AUROC
	difference := make([]float64, width)
	for k := range rows {
		scale := 1 / count[1]
		if !in[k] {
			scale = -1 / count[0]
		}
		floats.AddScaled(difference, scale, v.RawRowView(k))
	}
	g.distance = floats.Norm(difference, 2)
	g.along = make([]float64, rows)
	mat.NewVecDense(rows, g.along).MulVec(v, mat.NewVecDense(width, difference))
	skew, kurtosis := stat.Skew(g.along, nil), stat.ExKurtosis(g.along, nil)+3
	g.bimodality = (skew*skew + 1) / kurtosis
	return count[0] * count[1] / float64(rows) * g.distance * g.distance * (2*g.early - 1)
}

// sorted fits two Gaussians, each of its own variation, to values from the probabilities p of being in the upper one. It
// returns better ones: planted images often vary more than honest ones, or less. Below the lower mean an image is surely
// out and above the upper one surely in, whatever the tails of the wider Gaussian say.
func sorted(values, p []float64) []float64 {
	if values == nil {
		return p
	}
	q := slices.Clone(p)
	for range emSteps {
		out := make([]float64, len(q))
		for k := range q {
			out[k] = 1 - q[k]
		}
		weight := [2]float64{floats.Sum(out), floats.Sum(q)}
		if min(weight[0], weight[1]) < leastGroup {
			return p
		}
		var law [2]distuv.Normal
		for side, w := range [2][]float64{out, q} {
			mean, deviation := stat.PopMeanStdDev(values, w)
			law[side] = distuv.Normal{Mu: mean, Sigma: deviation}
		}
		if law[0].Sigma <= 0 || law[1].Sigma <= 0 || law[0].Mu >= law[1].Mu {
			return p
		}
		change := 0.0
		for k, v := range values {
			odds := math.Log(weight[0]) + law[0].LogProb(v) - math.Log(weight[1]) - law[1].LogProb(v)
			r := 1 / (1 + math.Exp(odds))
			switch {
			case v < law[0].Mu:
				r = 0
			case v > law[1].Mu:
				r = 1
			}
			change = max(change, math.Abs(r-q[k]))
			q[k] = r
		}
		if change < settled {
			break
		}
	}
	return q
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
