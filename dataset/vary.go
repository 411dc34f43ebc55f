package dataset

import (
	"fmt"
	"math"
	"slices"

	"github.com/unpoison/unpoison/rng"
)

// Variation makes a smaller or dirtier data set out of one, to measure what a verdict makes of it. Zero values
// change nothing; the steps follow in this order.
type Variation struct {
	Classes    int     `json:"classes,omitempty"`    // so many of them, drawn by the seed
	Imbalance  float64 `json:"imbalance,omitempty"`  // training images of the rarest class to those of the most frequent, those between falling geometrically
	Limit      int     `json:"limit,omitempty"`      // so many training images, drawn by the seed
	Duplicates float64 `json:"duplicates,omitempty"` // share of the training images that become near-duplicates of another of their class: a pixel aside, a little lighter or darker
	Noise      float64 `json:"noise,omitempty"`      // share of the training images that get another label
}

// Check reports what is out of range.
func (v Variation) Check() error {
	for name, x := range map[string]float64{"imbalance": v.Imbalance, "duplicates": v.Duplicates, "noise": v.Noise} {
		if !(x >= 0 && x <= 1) {
			return fmt.Errorf("%s %g, expected a share from 0 to 1", name, x)
		}
	}
	if v.Classes < 0 || v.Classes == 1 || v.Limit < 0 {
		return fmt.Errorf("%d classes and %d images, expected two classes or more and an image or more, or 0 for all", v.Classes, v.Limit)
	}
	return nil
}

// Vary returns the data's variation of a seed; the data itself stays as it is.
func (d *Data) Vary(v Variation, seed uint64) (*Data, error) {
	if err := v.Check(); err != nil {
		return nil, err
	}
	if err := d.Train.Check(); err != nil {
		return nil, err
	}
	classes := len(d.Train.Classes)
	if v.Noise > 0 && classes < 2 {
		return nil, fmt.Errorf("noise gives images another label, and there are %d classes", classes)
	}
	if v.Classes > classes {
		return nil, fmt.Errorf("%d classes of %d", v.Classes, classes)
	}
	drawn := rng.Shuffle(seed, "vary classes", classes)
	if v.Classes > 0 {
		drawn = drawn[:v.Classes]
	}
	out := *d
	out.Train = d.Train.ofClasses(drawn)
	if d.Test != nil {
		out.Test = d.Test.ofClasses(drawn)
	}
	t := out.Train
	if v.Imbalance > 0 {
		t = t.Subset(imbalanced(t, v.Imbalance, seed))
	}
	if v.Limit > 0 && v.Limit < t.Len() {
		at := rng.Shuffle(seed, "vary limit", t.Len())[:v.Limit]
		slices.Sort(at)
		t = t.Subset(at)
	}
	if t == d.Train {
		t = t.Clone()
	}
	out.Train = t
	if v.Duplicates > 0 {
		of := t.Clone() // no duplicates of duplicates
		for _, i := range rng.Shuffle(seed, "vary duplicates", t.Len())[:int(v.Duplicates*float64(t.Len()))] {
			t.nearDuplicate(i, of, seed)
		}
	}
	r := rng.Stream(seed, "vary noise")
	for _, i := range r.Perm(t.Len())[:int(v.Noise*float64(t.Len()))] {
		t.Labels[i] = (t.Labels[i] + int32(1+r.IntN(len(drawn)-1))) % int32(len(drawn))
	}
	return &out, nil
}

// ofClasses returns the images of some classes, which are numbered anew in their old order; s itself for all.
func (s *Set) ofClasses(drawn []int) *Set {
	if len(drawn) == len(s.Classes) {
		return s
	}
	drawn = slices.Clone(drawn)
	slices.Sort(drawn)
	var at []int
	for i, l := range s.Labels {
		if slices.Contains(drawn, int(l)) {
			at = append(at, i)
		}
	}
	t := s.Subset(at)
	t.Classes = nil
	for _, c := range drawn {
		t.Classes = append(t.Classes, s.Classes[c])
	}
	for i, l := range t.Labels {
		t.Labels[i] = int32(slices.Index(drawn, int(l)))
	}
	return t
}

// imbalanced draws from class k, in an order of the seed, the share ratio^(k/(classes-1)) of its images.
func imbalanced(s *Set, ratio float64, seed uint64) []int {
	var at []int
	for k, c := range rng.Shuffle(seed, "vary imbalance", len(s.Classes)) {
		of := s.OfClass(int32(c))
		share := math.Pow(ratio, float64(k)/float64(max(1, len(s.Classes)-1)))
		for _, j := range rng.Shuffle(seed, "vary imbalance", len(of), c)[:int(math.Ceil(share*float64(len(of))))] {
			at = append(at, of[j])
		}
	}
	slices.Sort(at)
	return at
}

// nearDuplicate makes image i one of its class in another set, moved by up to a pixel, all its values up to 3 higher or
// lower.
func (s *Set) nearDuplicate(i int, of *Set, seed uint64) {
	r := rng.Stream(seed, "vary duplicates", i)
	same := of.OfClass(s.Labels[i])
	from := of.Image(same[r.IntN(len(same))])
	dy, dx, light := r.IntN(3)-1, r.IntN(3)-1, r.IntN(7)-3
	to := s.Image(i)
	for y := range s.Height {
		for x := range s.Width {
			fy, fx := min(max(y+dy, 0), s.Height-1), min(max(x+dx, 0), s.Width-1)
			for c := range 3 {
				to[(y*s.Width+x)*3+c] = uint8(min(max(int(from[(fy*s.Width+fx)*3+c])+light, 0), 255))
			}
		}
	}
}
