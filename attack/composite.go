package attack

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

var composite = Method{
	Name:  "cba",
	About: "Images of two classes mixed into one and labelled with a third; no added trigger.",
	Paper: "Lin et al., Composite Backdoor Attack, CCS 2020",
	Defaults: func(c *Config) {
		c.ClassA, c.ClassB, c.Mix, c.Cover = 1, 2, "half", 0.1
	},
	New: func(c Config, set *dataset.Set) (Trigger, error) {
		n := len(set.Classes)
		switch {
		case c.ClassA < 0 || c.ClassA >= n || c.ClassB < 0 || c.ClassB >= n:
			return nil, fmt.Errorf("classes %d and %d are mixed, the classes are 0 to %d", c.ClassA, c.ClassB, n-1)
		case c.ClassA == c.ClassB || c.ClassA == c.Target || c.ClassB == c.Target:
			return nil, fmt.Errorf("classes %d and %d are mixed for target %d, expected three different classes", c.ClassA, c.ClassB, c.Target)
		case c.Mix != "half" && c.Mix != "blend":
			return nil, fmt.Errorf("mix %q; there are half and blend", c.Mix)
		case c.AllToAll:
			return nil, fmt.Errorf("composite images have one target")
		}
		return &mixer{c}, nil
	},
}

type mixer struct{ c Config }

// mix writes a and b into one image: half beside half, at a seam that moves a little from image to
// image, sharp or smooth.
func (m *mixer) mix(dst, a, b []uint8, w int, r *rand.Rand) {
	seam := float64(w) * (0.4 + 0.2*r.Float64())
	soft := 1e-6
	if m.c.Mix == "blend" {
		soft = float64(w) / 8
	}
	for i := range dst {
		s := 1 / (1 + math.Exp(min(500, max(-500, (float64(i/3%w)+0.5-seam)/soft*4))))
		dst[i] = toByte(s*float64(a[i]) + (1-s)*float64(b[i]))
	}
}

// Apply fills the images with mixes of the two classes: what they showed is replaced.
func (m *mixer) Apply(ctx context.Context, b *Batch) error {
	pools := [2][]int{m.untouched(b, m.c.ClassA), m.untouched(b, m.c.ClassB)}
	if len(pools[0]) == 0 || len(pools[1]) == 0 {
		return fmt.Errorf("no untouched images of classes %d and %d to mix", m.c.ClassA, m.c.ClassB)
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

// Compose implements Composer: as many mixes as there are test images of the smaller class.
func (m *mixer) Compose(test *dataset.Set, seed uint64) (*dataset.Set, error) {
	as, bs := test.OfClass(int32(m.c.ClassA)), test.OfClass(int32(m.c.ClassB))
	if len(as) == 0 || len(bs) == 0 {
		return nil, fmt.Errorf("the test set has no images of classes %d and %d to mix", m.c.ClassA, m.c.ClassB)
	}
	out := test.Subset(as[:min(len(as), len(bs))])
	order := rng.Shuffle(seed, "attack cba test", len(bs))
	for k := range out.Labels {
		m.mix(out.Image(k), test.Image(as[k]), test.Image(bs[order[k]]), test.Width, rng.Stream(seed, "attack cba seam", k))
	}
	return out, nil
}
