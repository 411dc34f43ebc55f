package dataset

import (
	"bytes"
	"cmp"
	"context"
	"slices"
)

// Twins says which images are there twice: equal pixels, at the size that they were read at.
type Twins struct {
	Same        int       // images that equal an earlier one
	Conflicting int       // those among them whose class is another one
	First       [2]string // sources of the first pair
}

// add counts a pair.
func (t *Twins) add(a, b string, conflicting bool) {
	if t.Same == 0 {
		t.First = [2]string{a, b}
	}
	t.Same++
	if conflicting {
		t.Conflicting++
	}
}

// Twins finds images of the set that equal an earlier one of it.
func (s *Set) Twins() Twins {
	t, _, _ := s.TwinsUntil(context.Background(), nil)
	return t
}

// TwinsUntil is Twins, and finds images of another set, nil: none, that equal one of this, as when test images are trained on. It
// ends with the context's error once that does.
func (s *Set) TwinsUntil(ctx context.Context, other *Set) (own, shared Twins, err error) {
	x, err := s.byPixels(ctx)
	if err != nil {
		return own, shared, err
	}
	for j := range s.Labels {
		if i, _ := x.first(x.digests[j]); i < j {
			own.add(s.Source(i), s.Source(j), s.Labels[i] != s.Labels[j])
		}
	}
	if other == nil || s.Height != other.Height || s.Width != other.Width {
		return own, shared, nil
	}
	digests, err := other.digestsUntil(ctx)
	for j, d := range digests {
		if i, ok := x.first(d); ok {
			shared.add(s.Source(i), other.Source(j), s.Classes[s.Labels[i]] != other.Classes[other.Labels[j]])
		}
	}
	return own, shared, err
}

// pixelIndex finds images by their pixels; it takes 20 bytes an image.
type pixelIndex struct {
	digests []ImageDigest
	order   []int32 // images by digest, equal ones by place
}

func (s *Set) byPixels(ctx context.Context) (*pixelIndex, error) {
	digests, err := s.digestsUntil(ctx)
	if err != nil {
		return nil, err
	}
	x := &pixelIndex{digests, make([]int32, s.Len())}
	for i := range x.order {
		x.order[i] = int32(i)
	}
	slices.SortFunc(x.order, func(a, b int32) int {
		return cmp.Or(bytes.Compare(x.digests[a][:], x.digests[b][:]), int(a-b))
	})
	return x, nil
}

// first returns the first image of a digest.
func (x *pixelIndex) first(d ImageDigest) (int, bool) {
	k, ok := slices.BinarySearchFunc(x.order, d, func(i int32, d ImageDigest) int { return bytes.Compare(x.digests[i][:], d[:]) })
	if !ok {
		return 0, false
	}
	return int(x.order[k]), true
}

// digestsUntil are those of all images' pixels; none with an error.
func (s *Set) digestsUntil(ctx context.Context) ([]ImageDigest, error) {
	digests := make([]ImageDigest, s.Len())
	err := eachUntil(ctx, s.Len(), func(i int) { digests[i] = digestPixels(s.Image(i), s.Height, s.Width) })
	if err != nil {
		return nil, err
	}
	return digests, nil
}
