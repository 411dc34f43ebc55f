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
	p, _ := s.PrintsUntil(context.Background(), nil)
	return p.Twins()
}

// Prints are what one pass over a set's images tells: it takes long where they are in a file that is larger than memory.
type Prints struct {
	Digest string // Set.Digest

	set *Set
	pixelIndex
}

// printBytes is how many bytes of images are worked on at a time.
const printBytes = 16 << 20

// PrintsUntil makes the pass, and returns the context's error once that ends. watch is told now and then how many images are done, if
// they are many; nil: nobody.
func (s *Set) PrintsUntil(ctx context.Context, watch func(done int)) (*Prints, error) {
	p := &Prints{set: s, pixelIndex: pixelIndex{digests: make([]ImageDigest, s.Len())}}
	whole := s.beginDigest()
	images := make([][]uint8, max(1, printBytes/max(1, s.ImageBytes())))
	for first := 0; first < s.Len(); first += len(images) {
		some := images[:min(len(images), s.Len()-first)]
		err := eachUntil(ctx, len(some), func(k int) {
			some[k] = s.Image(first + k)
			p.digests[first+k] = digestPixels(some[k], s.Height, s.Width)
		})
		if err != nil {
			return nil, err
		}
		for _, pixels := range some {
			whole.Write(pixels)
		}
		if done := first + len(some); watch != nil && s.Len() > len(images) {
			watch(done)
		}
	}
	p.Digest = s.endDigest(whole)
	p.sort()
	return p, ctx.Err()
}

// Twins finds images that equal an earlier one.
func (p *Prints) Twins() (t Twins) {
	for j, d := range p.digests {
		if i, _ := p.first(d); i < j {
			t.add(p.set.Source(i), p.set.Source(j), p.set.Labels[i] != p.set.Labels[j])
		}
	}
	return t
}

// Shared finds images of another set that equal one of this, as when test images are trained on.
func (p *Prints) Shared(other *Prints) (t Twins) {
	a, b := p.set, other.set
	if a.Height != b.Height || a.Width != b.Width {
		return t
	}
	for j, d := range other.digests {
		if i, ok := p.first(d); ok {
			t.add(a.Source(i), b.Source(j), a.Classes[a.Labels[i]] != b.Classes[b.Labels[j]])
		}
	}
	return t
}

// pixelIndex finds images by their pixels; it takes 20 bytes an image.
type pixelIndex struct {
	digests []ImageDigest
	order   []int32 // images by digest, equal ones by place
}

func (x *pixelIndex) sort() {
	x.order = make([]int32, len(x.digests))
	for i := range x.order {
		x.order[i] = int32(i)
	}
	slices.SortFunc(x.order, func(a, b int32) int {
		return cmp.Or(bytes.Compare(x.digests[a][:], x.digests[b][:]), int(a-b))
	})
}

// first returns the first image of a digest.
func (x *pixelIndex) first(d ImageDigest) (int, bool) {
	k, ok := slices.BinarySearchFunc(x.order, d, func(i int32, d ImageDigest) int { return bytes.Compare(x.digests[i][:], d[:]) })
	if !ok {
		return 0, false
	}
	return int(x.order[k]), true
}
