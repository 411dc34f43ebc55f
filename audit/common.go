package audit

import (
	"cmp"
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/rng"
)

// A pattern under many labels, as an attacker plants it who sends every class to the next one, or who shows it on most
// labels with the right one too, moves no label's mean from that of the rest. But it makes more variation along one direction
// than anything honest: among the first principal components of the whitened coefficients there is one along which the images
// fall into two kinds. Like a label's direction it is learnt on one half of the images and measured on the other. A pattern
// alone is no poison, it may be a watermark: whether its images' labels are wrong, a network tells that never saw them.

const (
	components = 8         // that are looked at
	power      = 8         // times the covariance is applied, after which those with much more variation than the next are found
	sampled    = 4_000_000 // coefficients of the images of a half that they are learnt from, at most
	varied     = 1000      // images of a kind whose variation is measured
	oneLabel   = 0.5       // of a pattern's images at most carry the same label: else the label is looked into by itself
)

// common is a pattern under many labels.
type common struct {
	p        []float32 // each image's probability of carrying it
	distance float64   // deviations between the images with it and the others, where it is smaller
	spread   float64   // the variation of those with it, as a share of the others'
}

// common looks for a pattern under many labels in images that hold none that was found before. It returns nil where there
// is none.
func (s *spectra) common(ctx context.Context, found []float32, seed uint64) (*common, error) {
	var halves [2][]int
	for _, i := range rng.Shuffle(seed, "common", s.set.Len()) {
		if found[i] <= flagged {
			halves[s.fold[i]] = append(halves[s.fold[i]], i)
		}
	}
	if min(len(halves[0]), len(halves[1])) < 2*fewest {
		return nil, nil
	}
	c := &common{p: make([]float32, s.set.Len()), distance: math.Inf(1)}
	for f, half := range halves {
		directions := s.components(halves[1-f], seed)
		distance, p, err := s.furthest(ctx, directions, half)
		if err != nil || distance < pattern {
			return nil, err
		}
		c.distance = min(c.distance, distance)
		for k, i := range half {
			c.p[i] = float32(p[k])
		}
	}
	carry := make([]int, len(s.of))
	var kinds [2][]int
	for _, i := range slices.Concat(halves[0], halves[1]) {
		b := bit(c.p[i] > flagged)
		kinds[b] = append(kinds[b], i)
		carry[s.set.Labels[i]] += b
	}
	n := len(kinds[1])
	if n < 2*fewest || float64(slices.Max(carry)) > oneLabel*float64(n) {
		return nil, nil
	}
	few := slices.Concat(kinds[0][:min(varied, len(kinds[0]))], kinds[1][:min(varied, n)])
	along := make([]float64, len(few))
	for k, i := range few {
		along[k] = float64(c.p[i])
	}
	c.spread = s.transform().spread(few, along, flagged)
	return c, ctx.Err()
}

// components returns the directions of the most variation among some images, in units of the coefficients' deviations, by
// subspace iteration (Golub and Van Loan, Matrix Computations, section 8.2.4).
func (s *spectra) components(images []int, seed uint64) []direction {
	images = images[:min(len(images), max(2*fewest, sampled/s.size()))]
	t := s.transform()
	mean := make([]float64, s.size())
	white := make([][]float64, len(images))
	for k, i := range images {
		white[k] = slices.Clone(t.image(i))
		floats.AddScaled(mean, 1/float64(len(images)), white[k])
	}
	for _, z := range white {
		for k := range z {
			z[k] = (z[k] - mean[k]) / math.Sqrt(s.variance[k])
		}
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(images))))
	basis := make([][]float64, components)
	for a := range basis {
		basis[a] = make([]float64, s.size())
		for k := range basis[a] {
			basis[a][k] = r.NormFloat64()
		}
	}
	orthonormal(basis)
	for range power {
		next := make([][]float64, components)
		for a := range next {
			next[a] = make([]float64, s.size())
		}
		for _, z := range white {
			for a, v := range basis {
				floats.AddScaled(next[a], floats.Dot(v, z), z)
			}
		}
		orthonormal(next)
		basis = next
	}
	all := make([]direction, components)
	for a, v := range basis {
		for k := range v {
			v[k] /= math.Sqrt(s.variance[k])
		}
		all[a] = direction{v, floats.Dot(v, mean)}
	}
	return all
}

// orthonormal makes vectors so, each against those before it (modified Gram–Schmidt).
func orthonormal(vectors [][]float64) {
	for a, v := range vectors {
		for _, u := range vectors[:a] {
			floats.AddScaled(v, -floats.Dot(u, v), u)
		}
		floats.Scale(1/max(floats.Norm(v, 2), math.SmallestNonzeroFloat64), v)
	}
}

// furthest returns the greatest distance between the two kinds that some images are parted in along any of the directions, and
// their probabilities of being of the smaller kind.
func (s *spectra) furthest(ctx context.Context, directions []direction, images []int) (distance float64, p []float64, err error) {
	at := make(map[int]int, len(images))
	for k, i := range images {
		at[i] = k
	}
	places := make([][]float64, len(directions))
	for a := range places {
		places[a] = make([]float64, len(images))
	}
	err = s.eachLabel(ctx, func(t *transform, c int) {
		for _, i := range s.of[c] {
			if k, ok := at[i]; ok {
				z := t.image(i)
				for a, d := range directions {
					places[a][k] = d.of(z)
				}
			}
		}
	})
	if err != nil {
		return 0, nil, err
	}
	for _, along := range places {
		lower, upper, middle, ok := parted(along, fewest)
		if !ok {
			continue
		}
		apart := lower.to(upper)
		if apart <= distance {
			continue
		}
		if lower.n < upper.n {
			floats.Scale(-1, along)
			middle = -middle
		}
		distance, p = apart, beyond(along, middle)
	}
	return distance, p, nil
}

// marked tells whether an image carries a pattern under many labels.
func (d *detector) marked(i int) bool {
	p := d.r.Arrays["common"]
	return p != nil && p[i] > flagged
}

// judge says of the labels under which there is a common pattern whether it was planted. looksLike are the classes that a
// network gives which never saw images with it, and second its second choices; nil if there is no such network. It puts the
// probabilities of planted images into found.
func (d *detector) judge(looksLike []int, second [][]float64, found []float32) []defense.Target {
	p, seen := d.r.Arrays["common"], d.r.Arrays["common.seen"]
	if p == nil {
		return nil
	}
	set := d.r.Data
	with, without := make([][]int, len(set.Classes)), make([][]int, len(set.Classes)) // the images of each label
	pairs := map[[2]int]int{}                                                         // of a label and what an image with the pattern looks like
	right, carriers := 0, 0
	for i, l := range set.Labels {
		if !d.marked(i) {
			without[l] = append(without[l], i)
			continue
		}
		with[l] = append(with[l], i)
		carriers++
		if looksLike != nil {
			pairs[[2]int{int(l), looksLike[i]}]++
			right += bit(looksLike[i] == int(l))
		}
	}
	pure := matched(pairs)
	share := func(n, of int) float64 { return float64(n) / float64(max(1, of)) }
	varieties := make([]float64, len(with))
	for c, images := range with {
		varieties[c] = variety(second, images)
	}
	var targets []defense.Target
	for c, images := range with {
		n, all := len(images), slices.Concat(images, without[c])
		if n == 0 {
			continue
		}
		t := defense.Target{
			Class: set.Classes[c], Index: c, By: defense.ByCommon, Images: len(all), Others: set.Len() - len(all), Leak: carriers - n,
			Distance: float64(seen[0]), Spread: float64(seen[1]),
		}
		if looksLike != nil {
			own := pairs[[2]int{c, c}]
			t.Pure, t.Agreement, t.Usual = share(pure, carriers), share(own, n), share(right-own, carriers-n)
			t.Variety, t.RestVariety = varieties[c], variety(second, without[c])
			t.UsualVariety = median(varieties, func(other int) bool { return other != c && len(with[other]) > 0 })
		}
		tally(&t, all, p)
		t.Says = says(&t)
		if t.Says == defense.Poisoned {
			for _, i := range images {
				found[i] = p[i]
			}
		}
		targets = append(targets, t)
	}
	t := targets[0]
	d.r.Note("a pattern in %d images under %d labels, %.2f from the rest; they vary %.2f times as it; %d look like what their labels say, %.0f %% like one class a label",
		carriers, len(targets), t.Distance, t.Spread, right, 100*t.Pure)
	return targets
}

// matched counts the images that look like the class that their label was matched with: the commonest pairs of a label and a
// class come first, and no class is matched twice.
func matched(pairs map[[2]int]int) int {
	order := slices.SortedFunc(maps.Keys(pairs), func(a, b [2]int) int {
		return cmp.Or(cmp.Compare(pairs[b], pairs[a]), slices.Compare(a[:], b[:]))
	})
	labels, classes := map[int]bool{}, map[int]bool{}
	total := 0
	for _, k := range order {
		if !labels[k[0]] && !classes[k[1]] {
			labels[k[0]], classes[k[1]] = true, true
			total += pairs[k]
		}
	}
	return total
}
