package attack

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

var composite = Method{
	Name:     "cba",
	About:    "Images of two classes mixed into one and labelled with a third; no added trigger.",
	Paper:    "Lin et al., Composite Backdoor Attack, CCS 2020",
	Cover:    0.1,
	Settings: func() Settings { return &CBA{ClassA: 1, ClassB: 2, Mix: "half"} },
}

// CBA are the settings of cba.
type CBA struct {
	ClassA int    `json:"class_a,omitempty" range:"[0,)"` // the classes that are mixed
	ClassB int    `json:"class_b,omitempty" range:"[0,)"`
	Mix    string `json:"mix,omitempty"` // "half" beside half, or "blend" with smooth edges
}

// Trigger implements Settings.
func (s *CBA) Trigger(c Common, set *dataset.Set) (Trigger, error) {
	n := len(set.Classes)
	switch {
	case s.ClassA >= n || s.ClassB >= n:
		return nil, classesf("classes %d and %d are mixed, the classes are 0 to %d", s.ClassA, s.ClassB, n-1)
	case s.ClassA == s.ClassB || s.ClassA == c.Target || s.ClassB == c.Target:
		return nil, classesf("classes %d and %d are mixed for target %d, expected three different classes", s.ClassA, s.ClassB, c.Target)
	case c.AllToAll || c.RandomLabels || c.Targets > 1:
		return nil, errors.New("composite images have one target")
	}
	return &mixer{*s}, oneOf("mix", s.Mix, "half", "blend")
}

type mixer struct{ CBA }

// mix writes a and b into one image: half beside half, at a seam that moves a little from image to
// image, sharp or smooth.
func (m *mixer) mix(dst, a, b []uint8, w int, r *rand.Rand) {
	seam := float64(w) * (0.4 + 0.2*r.Float64())
	soft := 1e-6
	if m.Mix == "blend" {
		soft = float64(w) / 8
	}
	for i := range dst {
		s := 1 / (1 + math.Exp(min(500, max(-500, (float64(i/3%w)+0.5-seam)/soft*4))))
		dst[i] = toByte(s*float64(a[i]) + (1-s)*float64(b[i]))
	}
}

// Apply fills the images with mixes of the two classes: what they showed is replaced.
func (m *mixer) Apply(ctx context.Context, b *Batch) error {
	pools := [2][]int{m.untouched(b, m.ClassA), m.untouched(b, m.ClassB)}
	if len(pools[0]) == 0 || len(pools[1]) == 0 {
		return fmt.Errorf("no untouched images of classes %d and %d to mix", m.ClassA, m.ClassB)
	}
	return m.fill(ctx, b, func(_ int, r *rand.Rand) (x, y int) {
		return pools[0][r.IntN(len(pools[0]))], pools[1][r.IntN(len(pools[1]))]
	})
}

// Cover mixes images with others of their own class and keeps the label, so that a seam alone tells
// nothing.
func (m *mixer) Cover(ctx context.Context, b *Batch) error {
	pools := map[int32][]int{}
	for i, l := range b.Set.Labels {
		if b.Changed == nil || !b.Changed[i] {
			pools[l] = append(pools[l], i)
		}
	}
	return m.fill(ctx, b, func(i int, r *rand.Rand) (x, y int) {
		own := pools[b.Set.Labels[i]]
		return i, own[r.IntN(len(own))]
	})
}

// fill replaces images by mixes, all of which are made from images as they were before.
func (m *mixer) fill(ctx context.Context, b *Batch, partners func(i int, r *rand.Rand) (x, y int)) error {
	n := b.Set.ImageBytes()
	mixed := make([]uint8, n*len(b.At))
	for k, i := range b.At {
		r := b.Stream(i)
		x, y := partners(i, r)
		m.mix(mixed[k*n:(k+1)*n], b.Set.Image(x), b.Set.Image(y), b.Set.Width, r)
	}
	for k, i := range b.At {
		copy(b.Set.Image(i), mixed[k*n:])
	}
	return ctx.Err()
}

// untouched returns a class's images that no attack has changed and this batch does not change.
func (m *mixer) untouched(b *Batch, class int) []int {
	taken := map[int]bool{}
	for _, i := range b.At {
		taken[i] = true
	}
	var all []int
	for i, l := range b.Set.Labels {
		if int(l) == class && !taken[i] && (b.Changed == nil || !b.Changed[i]) {
			all = append(all, i)
		}
	}
	return all
}

// Compose implements Composer: as many mixes as there are test images of the smaller class, none where one has none.
func (m *mixer) Compose(test *dataset.Set, seed uint64) (*dataset.Set, error) {
	as, bs := test.OfClass(int32(m.ClassA)), test.OfClass(int32(m.ClassB))
	out := test.Subset(as[:min(len(as), len(bs))])
	order := rng.Shuffle(seed, "attack cba test", len(bs))
	for k := range out.Labels {
		m.mix(out.Image(k), test.Image(as[k]), test.Image(bs[order[k]]), test.Width, rng.Stream(seed, "attack cba seam", k))
	}
	return out, nil
}
