package dataset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// largestOwn is the longest side that images keep where no size is asked for: larger ones cost memory and time, and
// networks are seldom made for more.
const largestOwn = 224

// measure is height and width.
type measure struct{ h, w int }

func (m measure) shorter() int { return min(m.h, m.w) }

func (m measure) String() string { return fmt.Sprintf("%d×%d", m.w, m.h) }

// sizes counts the images of each size.
type sizes map[measure]int

// count returns how many images there are of those that keep accepts.
func (s sizes) count(keep func(m measure) bool) (n int) {
	for m, images := range s {
		if keep(m) {
			n += images
		}
	}
	return n
}

// sorted lists the sizes by their shorter sides, then their longer ones.
func (s sizes) sorted() []measure {
	return slices.SortedFunc(maps.Keys(s), func(a, b measure) int {
		return cmp.Or(a.shorter()-b.shorter(), max(a.h, a.w)-max(b.h, b.w), a.h-b.h)
	})
}

// median is the shorter side that half of the images do not exceed.
func (s sizes) median() int {
	half, seen := (s.count(func(measure) bool { return true })+1)/2, 0
	for _, m := range s.sorted() {
		if seen += s[m]; seen >= half {
			return m.shorter()
		}
	}
	return 0
}

// own is the size that keeps what images of these sizes show: theirs if they agree, else a square of the median of their
// shorter sides, which is the commonest size where most are square and of one; neither with sides above largestOwn.
func (s sizes) own() measure {
	all := s.sorted()
	switch {
	case len(all) == 0:
		return measure{32, 32}
	case len(all) > 1:
		side := min(s.median(), largestOwn)
		return measure{side, side}
	}
	m := all[0]
	if longer := max(m.h, m.w); longer > largestOwn {
		scaled := func(v int) int { return max(1, (v*largestOwn+longer/2)/longer) }
		m = measure{scaled(m.h), scaled(m.w)}
	}
	return m
}

// size is what all images get: as asked, or what the training images have. Images of layouts that users expect at one size
// get that where they are of several.
func (b *builder) size(train *scanned, usual int) measure {
	switch {
	case b.Size > 0 && b.Width > 0:
		return measure{b.Size, b.Width}
	case b.Size > 0:
		return measure{b.Size, b.Size}
	}
	m := train.sizes.own()
	if usual > 0 && len(train.sizes) > 1 {
		m = measure{usual, usual}
	}
	b.noteSize(train.sizes, m)
	return m
}

// noteSize says what was chosen where images are not as they were, and how many lose detail.
func (b *builder) noteSize(s sizes, to measure) {
	all := s.sorted()
	if len(all) == 0 || len(all) == 1 && all[0] == to {
		return
	}
	text := fmt.Sprintf("the images have %v pixels", all[0])
	if len(all) > 1 {
		text = fmt.Sprintf("the images have %d sizes, from %v to %v pixels", len(all), all[0], all[len(all)-1])
	}
	text += fmt.Sprintf("; they are read at %v", to)
	if n := s.count(func(m measure) bool { return m.h > to.h || m.w > to.w }); n > 0 {
		text += fmt.Sprintf(", where %d of %d lose detail", n, s.count(func(measure) bool { return true }))
	}
	b.note("%s; --size N takes another", text)
}
