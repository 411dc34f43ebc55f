package look

import (
	"context"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
)

// What tells whether a label holds two kinds of images, and which of them was planted.
var (
	kindsApart      = Limit("kinds", "apart")
	kindsPerRoot    = Limit("kinds", "per root")
	kindsUnusual    = Limit("kinds", "unusual")
	kindsOthers     = int(Limit("kinds", "other labels"))
	kindsBimodal    = Limit("kinds", "bimodality")
	kindsUneven     = Limit("kinds", "uneven bimodality")
	kindsPlain      = Limit("kinds", "seen plainly")
	kindsBetween    = Limit("kinds", "between")
	kindsFewest     = int(Limit("kinds", "fewest"))
	kindsEarly      = Limit("kinds", "early")
	kindsPure       = Limit("kinds", "pure")
	kindsVariety    = Limit("kinds", "variety")
	kindsTimesUsual = Limit("kinds", "variety of usual")
	kindsTimesRest  = Limit("kinds", "variety of rest")
	kindsDoubt      = Limit("kinds", "doubt variety")
	kindsDoubtTimes = Limit("kinds", "doubt times")
)

// KindFacts describe the two kinds that a label's images fall into by their features.
type KindFacts struct {
	Counts
	Variety
	Distance float64 `json:"distance"` // between the kinds' means, in deviations of what labels share
	Usual    float64 `json:"usual"`    // the distance to expect from the other labels' kinds; 0 if there are too few
	// Bimodality along the line between the means: 1/3 for one Gaussian, 5/9 for a uniform distribution, 1 for two points.
	Bimodality float64 `json:"bimodality"`
	Early      float64 `json:"early"`    // probability that isolation ranks a suspect before another image of the label
	Isolated   float64 `json:"isolated"` // share of the isolated images that carry the label
	Pure       float64 `json:"pure"`     // share of those that are suspects
}

// KindsOf returns what evidence says of two kinds, zero if nothing.
func KindsOf(e Evidence) KindFacts {
	if f, ok := e.Facts.(interface{ kinds() KindFacts }); ok {
		return f.kinds()
	}
	f, _ := FactsOf[KindFacts](e)
	return f
}

func (f KindFacts) kinds() KindFacts { return f }

// LeastApart is how many deviations the two kinds of so many images are apart: in few images chance finds kinds.
func LeastApart(images int) float64 {
	return kindsApart + kindsPerRoot/math.Sqrt(float64(max(1, images)))
}

// Wrong tells whether the labels of the suspects look wrong, and those of other images do not.
func (f KindFacts) Wrong() bool {
	return f.Variety.Wrong(kindsVariety, kindsTimesUsual, kindsTimesRest)
}

// Two tells whether the label holds two kinds of images. Few honest images beside many planted ones that vary much are two
// kinds too, though that hides from the bimodality; isolation or the wrong labels tell then.
func (f KindFacts) Two() bool {
	isolated := f.Early >= kindsPlain && f.Isolated >= kindsPlain
	bimodal := f.Bimodality >= kindsBimodal || f.Bimodality >= kindsUneven && isolated || f.Wrong()
	between := float64(f.Between) <= kindsBetween*float64(max(1, f.Images))
	return f.Distance >= max(LeastApart(f.Images), kindsUnusual*f.Usual) && bimodal && between && f.Flagged >= kindsFewest
}

// Known tells whether it is known which kind was planted, by isolation or because its labels are wrong, and that one was: not
// where there are too few other labels to say how far apart kinds usually are.
func (f KindFacts) Known() bool {
	doubted := f.Turned().Wrong(kindsDoubt, kindsDoubtTimes, kindsDoubtTimes)
	return f.Usual > 0 && (f.Early >= kindsEarly && f.Pure >= kindsPure && !doubted || f.Wrong())
}

// Kinds are the two of a label.
type Kinds struct {
	KindFacts
	Label int
	Group *stat.Group
}

// Turn suspects the other kind.
func (k *Kinds) Turn() {
	k.Group = k.Group.Turned()
	k.Variety = k.Variety.Turned()
	k.Early, k.Pure, k.Flagged = k.Group.Early, 1-k.Pure, k.Images-k.Flagged
}

// Carriers are the images' probabilities of being of the suspected kind.
func (k *Kinds) Carriers(c *Case) []float32 {
	p := c.Unasked()
	for j, i := range k.Group.Images {
		p[i] = float32(k.Group.Sorted[j])
	}
	return p
}

// parted parts every label's images by their features, once; nil where there is no network.
func (c *Case) parted(ctx context.Context) ([]*stat.Group, error) {
	p, err := c.Plain(ctx)
	if p == nil || c.groups != nil {
		return c.groups, err
	}
	labels := slices.Repeat([]int32{-1}, c.Data.Len())
	for _, i := range p.Learnt {
		labels[i] = c.Data.Labels[i]
	}
	c.groups = stat.Groups(p.Features, labels, c.rank(), len(c.Data.Classes))
	return c.groups, nil
}

// rank is each image's place in the order.
func (c *Case) rank() []int {
	rank := make([]int, c.Data.Len())
	for k, i := range c.Order() {
		rank[i] = k
	}
	return rank
}

// UsualVariety is the median of the other labels' more various kinds, of all that were parted.
func (c *Case) UsualVariety(ctx context.Context, label int) (float64, error) {
	all, err := c.parted(ctx)
	if all == nil {
		return 0, err
	}
	return usualVariety(all, c.plain.Second, label), nil
}

func usualVariety(all []*stat.Group, second [][]float64, label int) float64 {
	return ofOthers(all, label, func(c int) float64 {
		in, out := all[c].Varieties(second)
		return max(in, out)
	})
}

// Kinds describes the two kinds of each label's images, once, but for labels that are closed; none where there is no network.
func (c *Case) Kinds(ctx context.Context) ([]*Kinds, error) {
	groups, err := c.parted(ctx)
	if groups == nil || c.kinds != nil {
		return c.kinds, err
	}
	if c.saved.Kinds == nil {
		c.saved.Kinds = append(make([]int, 0), c.saved.Closed...)
	}
	all := slices.Clone(groups)
	for _, label := range c.saved.Kinds {
		all[label] = nil
	}
	rank := c.rank()
	c.kinds = []*Kinds{}
	for label, g := range all {
		if g != nil {
			c.kinds = append(c.kinds, describe(c, all, label, rank))
		}
	}
	return c.kinds, nil
}

// describe measures the two kinds of a label. Where isolation misled, the kind whose labels look wrong is the suspected one.
func describe(c *Case, all []*stat.Group, label int, rank []int) *Kinds {
	g, second, isolated := all[label], c.plain.Second, len(c.Isolated())
	k := &Kinds{Label: label, Group: g}
	k.Images, k.Others = len(g.Images), c.Data.Len()-len(g.Images)
	k.Distance, k.Usual, k.Bimodality = g.Distance, usualDistance(all, label), g.Bimodality
	k.Suspects, k.Rest = g.Varieties(second)
	k.Variety.Usual = usualVariety(all, second, label)
	for _, p := range g.P {
		k.Between += stat.Bit(p > 1-Sure && p < Sure)
	}
	if turned := k.Variety.Turned(); turned.Wrong(kindsVariety, kindsTimesUsual, kindsTimesRest) {
		k.Group = g.Recut(second)
		k.Suspects, k.Rest = k.Group.Varieties(second)
	}
	g = k.Group
	k.Early = g.Early
	count, in := 0, 0 // of its isolated images
	for j, i := range g.Images {
		k.Flagged += stat.Bit(g.Sorted[j] > Flagged)
		if rank[i] < isolated {
			count++
			in += stat.Bit(g.P[j] > Flagged)
		}
	}
	k.Isolated, k.Pure = float64(count)/float64(isolated), float64(in)/float64(max(1, count))
	return k
}

// usualDistance is the distance at which a label's kinds would lie if they were as far apart as the other labels' are in the
// median, compared by what its number of images allows to chance; 0 if there are too few of them to tell. Wrong labels by
// chance make two kinds of images in every label: those that are right, learnt first, and those that are not.
func usualDistance(all []*stat.Group, label int) float64 {
	others := 0
	for c, g := range all {
		others += stat.Bit(g != nil && c != label)
	}
	if others < kindsOthers {
		return 0
	}
	return ofOthers(all, label, func(c int) float64 { return all[c].Distance / LeastApart(len(all[c].Images)) }) * LeastApart(len(all[label].Images))
}

// ofOthers is the median of a value over the groups of the other labels, 0 if there are none.
func ofOthers(all []*stat.Group, label int, value func(c int) float64) float64 {
	values := make([]float64, len(all))
	for c, g := range all {
		if g != nil {
			values[c] = value(c)
		}
	}
	return stat.Median(values, func(c int) bool { return all[c] != nil && c != label })
}

// Note tells what was seen of the kinds, and what it says.
func (k *Kinds) Note(c *Case, says Says) {
	c.Note("%s: %s, two groups of %d and %d images, %.2f apart (usual %.2f), %d in between, bimodality %.3f, early %.3f, variety %.3f and %.3f (usual %.3f); %.0f %% of the isolated images, %.0f %% of them in the first",
		c.Data.Classes[k.Label], says, k.Flagged, k.Images-k.Flagged, k.Distance, k.Usual, k.Between, k.Bimodality, k.Early, k.Suspects, k.Rest, k.Variety.Usual, 100*k.Isolated, 100*k.Pure)
}
