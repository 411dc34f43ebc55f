// Package common looks for a pattern under many labels, as an attacker plants it who sends every class to the next one, or who
// shows it on most labels with the right one too. It moves no label's mean from that of the rest, but makes more variation
// along one direction than anything honest: among the first principal components of the whitened coefficients there is one
// along which the images fall into two kinds. It is learnt on one half of the images and measured on the other. A pattern alone
// is no poison, it may be a watermark: whether its images' labels are wrong, a network tells that can't see triggers.
package common

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/rng"
)

// Name of the look.
const Name look.Name = "pixels of many labels"

var (
	apart    = look.Limit("common", "apart")
	fewest   = int(look.Limit("common", "fewest"))
	oneLabel = look.Limit("common", "one label")
)

const (
	varied = 1000 // images of a kind whose variation is measured
	chance = 3    // deviations
)

// Look is the look for a pattern under many labels.
type Look struct{}

// Name returns its name.
func (Look) Name() look.Name { return Name }

// pattern is one under many labels.
type pattern struct {
	Distance float64 // deviations between the images with it and the others, where it is smaller
	Spread   float64 // the variation of those with it, as a share of the others'
}

// Ask says of the labels under which there is a common pattern whether it was planted, by what its images show. The score is the
// distance.
func (Look) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	seen, p, err := find(ctx, c)
	if seen == nil {
		return nil, err
	}
	right, err := c.Weigh(ctx, p)
	if err != nil {
		return nil, err
	}
	with, images := c.Of(func(i int) bool { return p[i] > look.Flagged }), c.Of(nil)
	carriers := 0
	for _, is := range with {
		carriers += len(is)
	}
	var all []look.Evidence
	for label := range with {
		if len(with[label]) == 0 {
			continue
		}
		f := Facts{Distance: seen.Distance, Spread: seen.Spread, All: right, Classes: len(images)}
		f.Images, f.Others, f.Leak = len(images[label]), c.Data.Len()-len(images[label]), carriers-len(with[label])
		f.Tally(images[label], p)
		if f.Under, err = c.Weigh(ctx, p, label); err != nil {
			return nil, err
		}
		e := look.Evidence{Look: Name, Label: label, Score: f.Distance, Says: f.Says(), Strength: f.Strength(), Right: f.Right(), Facts: f}
		if e.Says != look.NoEvidence {
			for _, i := range images[label] {
				carries := float32(-1)
				if p[i] > look.Flagged {
					carries = p[i]
				}
				e.Own = append(e.Own, carries)
			}
		}
		all = append(all, e)
	}
	c.Note("a pattern in %d images under %d labels, %.2f from the rest; they vary %.2f times as it; %s", carriers, len(all), seen.Distance, seen.Spread, right)
	return all, nil
}

// find looks for a pattern in images that nothing was found in before, and returns each image's probability of carrying it. It
// returns nil where there is none.
func find(ctx context.Context, c *look.Case) (*pattern, []float32, error) {
	s, err := c.Spectra(ctx)
	if err != nil {
		return nil, nil, err
	}
	var halves [2][]int
	for _, i := range rng.Shuffle(c.Seed, "common", c.Data.Len()) {
		if c.Found()[i] <= look.Flagged {
			halves[s.Fold[i]] = append(halves[s.Fold[i]], i)
		}
	}
	if min(len(halves[0]), len(halves[1])) < 2*fewest {
		return nil, nil, nil
	}
	all := c.Unasked()
	found := &pattern{Distance: math.Inf(1)}
	for f, half := range halves {
		distance, p, err := furthest(ctx, s, s.Components(halves[1-f], c.Seed, 1-f), half)
		if err != nil || distance < apart {
			return nil, nil, err
		}
		found.Distance = min(found.Distance, distance)
		for k, i := range half {
			all[i] = float32(p[k])
		}
	}
	carry, searched := make([]int, len(s.Of)), make([]int, len(s.Of))
	var kinds [2][]int
	for _, i := range slices.Concat(halves[0], halves[1]) {
		b := stat.Bit(all[i] > look.Flagged)
		kinds[b] = append(kinds[b], i)
		carry[c.Data.Labels[i]] += b
		searched[c.Data.Labels[i]]++
	}
	n := len(kinds[1])
	if n < 2*fewest || ofOne(carry, searched) {
		return nil, nil, nil
	}
	few := slices.Concat(kinds[0][:min(varied, len(kinds[0]))], kinds[1][:min(varied, n)])
	along := make([]float64, len(few))
	for k, i := range few {
		along[k] = float64(all[i])
	}
	found.Spread = s.Transform().Spread(few, along, look.Flagged)
	return found, all, ctx.Err()
}

// ofOne tells whether a pattern is one label's: whether that has most of the images that carry it, and more of them than it has of all
// images by chance.
func ofOne(carry, searched []int) bool {
	n, all := 0.0, 0.0
	for label, k := range carry {
		n, all = n+float64(k), all+float64(searched[label])
	}
	for label, k := range carry {
		share := float64(searched[label]) / all
		if float64(k) > n*max(oneLabel, share+chance*math.Sqrt(share*(1-share)/n)) {
			return true
		}
	}
	return false
}

// furthest returns the greatest distance between the two kinds that some images are parted in along any of the directions, and
// their probabilities of being of the smaller kind.
func furthest(ctx context.Context, s *stat.Spectra, directions []stat.Direction, images []int) (distance float64, p []float64, err error) {
	at := make(map[int]int, len(images))
	for k, i := range images {
		at[i] = k
	}
	places := make([][]float64, len(directions))
	for a := range places {
		places[a] = make([]float64, len(images))
	}
	err = s.EachLabel(ctx, func(t *stat.Transform, c int) {
		for _, i := range s.Of[c] {
			if k, ok := at[i]; ok {
				z := t.Image(i)
				for a, d := range directions {
					places[a][k] = d.Of(z)
				}
			}
		}
	})
	if err != nil {
		return 0, nil, err
	}
	for _, along := range places {
		lower, upper, middle, ok := stat.Parted(along, fewest)
		if !ok {
			continue
		}
		apart := lower.To(upper)
		if apart <= distance {
			continue
		}
		if lower.N < upper.N {
			floats.Scale(-1, along)
			middle = -middle
		}
		distance, p = apart, stat.Beyond(along, middle)
	}
	return distance, p, nil
}
