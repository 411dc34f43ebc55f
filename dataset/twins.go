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
	t, _ := s.TwinsUntil(context.Background())
	return t
}

// TwinsUntil is Twins, or the context's error once that ends.
func (s *Set) TwinsUntil(ctx context.Context) (t Twins, err error) {
	x, err := s.byPixels(ctx)
	if err != nil {
		return t, err
	}
	for j := range s.Labels {
		if i, _ := x.first(x.digests[j]); i < j {
			t.add(s.Source(i), s.Source(j), s.Labels[i] != s.Labels[j])
		}
	}
	return t, nil
}

// Shared finds images of other that equal one of the set, as when test images were trained on.
func (s *Set) Shared(other *Set) Twins {
	var t Twins
	if other == nil || s.Height != other.Height || s.Width != other.Width {
		return t
	}
	x, _ := s.byPixels(context.Background())
	var scratch []uint8
	for j := range other.Labels {
		if i, ok := x.first(digestPixels(other.view(j, &scratch), s.Height, s.Width)); ok {
			t.add(s.Source(i), other.Source(j), s.Classes[s.Labels[i]] != other.Classes[other.Labels[j]])
		}
	}
	return t
}

// pixelIndex finds images by their pixels; it takes 20 bytes an image.
type pixelIndex struct {
	digests []ImageDigest
	order   []int32 // images by digest, equal ones by place
}

func (s *Set) byPixels(ctx context.Context) (*pixelIndex, error) {
	x := &pixelIndex{make([]ImageDigest, s.Len()), make([]int32, s.Len())}
	err := eachUntil(ctx, s.Len(), func(i int) {
		x.digests[i], x.order[i] = digestPixels(s.Image(i), s.Height, s.Width), int32(i)
	})
	if err != nil {
		return nil, err
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
