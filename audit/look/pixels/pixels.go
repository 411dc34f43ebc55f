// Package pixels looks for a pattern that is the same in many images of a label and in none of another: a sticker, a picture
// blended in. It needs no network; see stat.Spectra.
package pixels

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

// Name of the look.
const Name = look.ByPixels

var (
	apart       = look.Limit("pixels", "apart")
	alone       = look.Limit("pixels", "apart alone")
	otherLabels = look.Limit("pixels", "other labels")
	variation   = look.Limit("pixels", "variation")
	between     = look.Limit("pixels", "between")
	fewest      = look.HalfFewest()
)

// Facts are what the pixels of a label's images show.
type Facts struct {
	look.Counts
	Distance float64 `json:"distance"` // deviations between the images with a pattern and the label's others
	Spread   float64 `json:"spread"`   // variation of the images with the pattern beside it, as a share of the others'
}

// Says judges a label by its pattern: far from honest images, in this label mostly, and in images that differ. What such images
// are, the labels say, or what their pattern does to others; see look.Case.
func (f Facts) Says() look.Says {
	share := float64(f.Flagged) / float64(max(1, f.Images))
	if f.Distance >= apart && f.Spread >= variation && f.LeakShare() <= otherLabels*share && f.BetweenShare() <= between && f.Flagged >= fewest {
		return look.Poisoned
	}
	return look.NoEvidence
}

// Strength is by how much what makes a pattern is there; see look.Evidence. All but the distance is only measured where that is great.
func (f Facts) Strength() float64 {
	s := look.AtLeast(f.Distance, apart)
	if s < 1 {
		return s
	}
	share := float64(f.Flagged) / float64(max(1, f.Images))
	return min(s, look.AtLeast(f.Spread, variation), look.AtMost(f.LeakShare(), otherLabels*share), look.AtMost(f.BetweenShare(), between), look.AtLeast(float64(f.Flagged), float64(fewest)))
}

// strength is Strength where nothing may tell whether labels are right.
func (f Facts) strength(c *look.Case) float64 {
	if c.Settings.Content {
		return f.Strength()
	}
	s := look.AtLeast(f.Distance, alone)
	if s < 1 { // nothing more is measured
		return s
	}
	return min(s, f.Strength())
}

// Look is the look at the pixels.
type Look struct{}

// Name returns its name.
func (Look) Name() look.Name { return Name }

// label is one that is looked at.
type label struct {
	facts  Facts
	ds     [2]stat.Direction // for each fold
	along  []float64         // each image's place
	middle float64
}

// Ask returns what was seen of the labels whose kinds lie far apart, or of the one where they lie furthest. The score is the
// distance in deviations.
func (Look) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	s, err := c.Spectra(ctx)
	if err != nil {
		return nil, err
	}
	labels := make([]label, len(s.Of))
	if err := s.EachLabel(ctx, func(t *stat.Transform, class int) { labels[class] = part(s, t, class) }); err != nil {
		return nil, err
	}
	var seen []look.Evidence
	furthest := -1
	for class := range labels {
		l := &labels[class]
		if f := &l.facts; f.Distance > 0 && (furthest < 0 || f.Distance > labels[furthest].facts.Distance) {
			furthest = class
		}
		if l.facts.Distance < apart || !c.Settings.Content && l.facts.Distance < alone {
			continue
		}
		e, err := l.measure(ctx, c, s, class)
		if err != nil {
			return nil, err
		}
		seen = append(seen, e)
	}
	if len(seen) == 0 && furthest >= 0 {
		f := labels[furthest].facts
		seen = append(seen, look.Evidence{Look: Name, Label: furthest, Score: f.Distance, Says: f.Says(), Strength: f.strength(c), Facts: f})
	}
	return seen, nil
}

// again is how often the direction is learnt again from the kinds that it parts, at most.
const again = 3

// part parts a label's images in two: along the direction from the other labels to it, then along that from one kind to the other as long
// as they come to lie further apart, since a pattern in few of the images is little of what tells a label from others.
func part(s *stat.Spectra, t *stat.Transform, class int) (l label) {
	images := s.Of[class]
	if len(images) < 2*fewest || !s.Both(class) {
		return l
	}
	ds := s.Directions(class)
	along := t.Along(ds, images)
	for round := 0; ; round++ {
		lower, upper, middle, ok := stat.Parted(along, fewest)
		if !ok || lower.To(upper) <= l.facts.Distance {
			break
		}
		l = label{ds: ds, along: along, middle: middle}
		l.facts.Images, l.facts.Others, l.facts.Flagged = len(images), len(s.Fold)-len(images), int(upper.N)
		l.facts.Distance = lower.To(upper)
		if round == again {
			break
		}
		if ds, along, ok = t.Within(images, stat.Beyond(along, middle), fewest); !ok {
			break
		}
	}
	if l.facts.Distance < apart { // nobody asks more of it, and there may be many labels
		l.ds, l.along = [2]stat.Direction{}, nil
	}
	return l
}

// measure counts the images under other labels that lie beyond the middle along a label's direction, and compares how much
// those of the label that do vary with how much the others do.
func (l *label) measure(ctx context.Context, c *look.Case, s *stat.Spectra, class int) (e look.Evidence, err error) {
	f := &l.facts
	leaks := make([]int, len(s.Of))
	err = s.EachLabel(ctx, func(t *stat.Transform, other int) {
		if other == class {
			f.Spread = t.Spread(s.Of[other], l.along, l.middle)
			return
		}
		for _, i := range s.Of[other] {
			leaks[other] += stat.Bit(l.ds[s.Fold[i]].Of(t.Image(i)) > l.middle)
		}
	})
	if err != nil {
		return e, err
	}
	for _, n := range leaks {
		f.Leak += n
	}
	p := stat.Beyond(l.along, l.middle)
	carriers, own := c.Unasked(), make([]float32, len(p))
	for k, i := range s.Of[class] {
		own[k] = float32(p[k])
		carriers[i] = own[k]
	}
	f.Tally(s.Of[class], carriers)
	e = look.Evidence{Look: Name, Label: class, Score: f.Distance, Says: f.Says(), Strength: f.strength(c), Own: own, Facts: *f}
	c.Note("%s: a pattern in %d of %d images, %.2f from the rest, %d in between; %d of %d under other labels carry it; they vary %.2f times as the rest",
		c.Data.Classes[class], f.Flagged, f.Images, f.Distance, f.Between, f.Leak, f.Others, f.Spread)
	return e, nil
}
