package evaluate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// Pass is what is asked of images: a network's logits for each, or its features.
type Pass struct {
	Network *model.Network
	State   model.State
	// Side is the shorter side that larger images are averaged down to; 0: as they are.
	Side int
	// Blurs are deviations, in pixels of an image whose shorter side is 32: the images are asked about once under each. None: once,
	// as they are.
	Blurs []float64
	// Half is the half that is shown of an image, with its mirror image in the place of the other one; 0: all of it.
	Half Half
	// Features asks for what the network has of each image before its last layer, [width], instead of its logits.
	Features bool
}

// Half is a half of an image.
type Half uint8

// The halves.
const (
	Left Half = iota + 1
	Right
	Upper
	Lower
)

// Passes makes passes over the images of one set, which other machines may have parts of.
type Passes interface {
	// Pass calls visit once for each of some images, by their indices, in any order; nil: for all. The row has what was asked for
	// under one blur after the other.
	Pass(ctx context.Context, p Pass, images []int, visit func(i int, row []float32)) error
}

// Here makes passes on this machine.
type Here struct {
	Backend backends.Backend
	Set     *dataset.Set
}

// passBytes is how many bytes of pixels are worked on at a time.
const passBytes = 16 << 20

// Pass makes the pass in the order of the images in the set, since from a file that is how they are read fastest.
func (h Here) Pass(ctx context.Context, p Pass, images []int, visit func(i int, row []float32)) error {
	e, err := p.compile(h.Backend)
	if err != nil {
		return err
	}
	if images == nil && p.Side == 0 && len(p.Blurs) == 0 && p.Half == 0 {
		return e.each(ctx, h.Set, visit)
	}
	if images == nil {
		images = rng.Iota(h.Set.Len())
	}
	images = slices.Sorted(slices.Values(images))
	if n := len(images); n > 0 && (images[0] < 0 || images[n-1] >= h.Set.Len()) {
		return fmt.Errorf("a pass over images %d to %d, expected some of 0 to %d", images[0], images[n-1], h.Set.Len()-1)
	}
	for some := range slices.Chunk(images, max(1, passBytes/(Batch*h.Set.ImageBytes()))*Batch) {
		if err := p.some(ctx, e, h.Set.View(some), func(k int, row []float32) { visit(some[k], row) }); err != nil {
			return err
		}
	}
	return nil
}

// compile readies the network for what is asked.
func (p Pass) compile(b backends.Backend) (*Evaluator, error) {
	if p.Features {
		return tapped(b, p.Network, p.State, "features")
	}
	return Of(b, p.Network, p.State)
}

// some makes the pass over a few images.
func (p Pass) some(ctx context.Context, e *Evaluator, set *dataset.Set, visit func(k int, row []float32)) error {
	set, err := Small(ctx, set, p.Side, nil)
	if err != nil {
		return err
	}
	if p.Half != 0 {
		set = mirrored(set, p.Half)
	}
	if len(p.Blurs) == 0 {
		return e.each(ctx, set, visit)
	}
	rows := make([][]float32, set.Len())
	for _, deviation := range p.Blurs {
		if err := e.each(ctx, blurred(set, deviation), func(k int, row []float32) { rows[k] = append(rows[k], row...) }); err != nil {
			return err
		}
	}
	for k, row := range rows {
		visit(k, row)
	}
	return nil
}

// Small returns images averaged down to a shorter side, or the set itself where that is not longer; 0: the set itself. watch is told
// now and then how many are done; nil: nobody.
func Small(ctx context.Context, set *dataset.Set, side int, watch func(done int)) (*dataset.Set, error) {
	if h, w := dataset.Smaller(set.Height, set.Width, side); h < set.Height {
		return set.Scaled(ctx, h, w, watch)
	}
	return set, nil
}

// SmallBytes is how many bytes of a disk Small takes.
func SmallBytes(set *dataset.Set, side int) int64 {
	if h, w := dataset.Smaller(set.Height, set.Width, side); h < set.Height {
		return set.ScaledBytes(h, w)
	}
	return 0
}

// blurred returns a copy of the images, smoothed.
func blurred(set *dataset.Set, deviation float64) *dataset.Set {
	side := float64(min(set.Height, set.Width)) / 32
	return Redrawn(set, func(x []float32) { augment.Blur(x, set.Height, set.Width, deviation*side) })
}

// mirrored returns a copy of the images in which a half takes the place of the other one, mirrored. What is in the middle stays.
func mirrored(set *dataset.Set, half Half) *dataset.Set {
	if half == Upper || half == Lower {
		return Redrawn(set, func(x []float32) { mirror(x, set.Height, 3*set.Width, half == Lower) })
	}
	return Redrawn(set, func(x []float32) {
		for row := range slices.Chunk(x, 3*set.Width) {
			mirror(row, set.Width, 3, half == Right)
		}
	})
}

// mirror copies the first half of n parts of a length over the second one in reverse order, or the second half over the first.
func mirror(x []float32, n, length int, second bool) {
	for k := range n / 2 {
		to, from := n-1-k, k
		if second {
			to, from = from, to
		}
		copy(x[to*length:(to+1)*length], x[from*length:])
	}
}

// Redrawn returns images, each changed as numbers from 0 to 1, [H,W,3], by several at a time. They are in memory, whatever the set's are.
func Redrawn(set *dataset.Set, change func(x []float32)) *dataset.Set {
	n := set.ImageBytes()
	out := &dataset.Set{Height: set.Height, Width: set.Width, Classes: set.Classes, Labels: set.Labels, Pixels: make([]uint8, set.Len()*n)}
	own := sync.Pool{New: func() any { return new(make([]float32, n)) }}
	dataset.Each(set.Len(), func(i int) {
		x := own.Get().(*[]float32)
		augment.Plain(*x, set.Image(i))
		change(*x)
		augment.Append(out.Pixels[i*n:i*n], *x)
		own.Put(x)
	})
	return out
}
