package attack

import (
	"context"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// encoderDecoder makes images of the input's size with the given channels, before any squashing.
// skip hands inner results across, which keeps an image's details.
func encoderDecoder(channels int, skip bool) func(b *model.Builder, x *Node) *Node {
	return func(b *model.Builder, x *Node) *Node {
		layer := func(name string, x *Node, out, stride int) *Node {
			return b.Relu(b.BatchNorm(name+".bn", b.Conv(name+".conv", x, out, 3, stride)))
		}
		join := func(x, from *Node) *Node {
			x = enlarge(x, from.Shape().Dimensions[1], from.Shape().Dimensions[2])
			if skip {
				x = Concatenate([]*Node{x, from}, 3)
			}
			return x
		}
		full := layer("down1", x, 16, 1)
		half := layer("down2", full, 32, 2)
		quarter := layer("middle", layer("down3", half, 64, 2), 64, 1)
		half = layer("up2", join(quarter, half), 32, 1)
		full = layer("up1", join(half, full), 16, 1)
		return b.Conv("out.conv", full, channels, 3, 1)
	}
}

// enlarge doubles height and width, each pixel four times, and cuts to h×w.
func enlarge(x *Node, h, w int) *Node {
	d := x.Shape().Dimensions
	n, oh, ow, c := d[0], d[1], d[2], d[3]
	x = BroadcastToDims(Reshape(x, n, oh, 1, ow, 1, c), n, oh, 2, ow, 2, c)
	x = Reshape(x, n, 2*oh, 2*ow, c)
	if 2*oh == h && 2*ow == w {
		return x
	}
	return Slice(x, AxisRange(), AxisRange(0, h), AxisRange(0, w), AxisRange())
}

// generatorBatch is how many images generators take at a time.
const generatorBatch = 64

// paint replaces images by what f makes of them. Its inputs from first on are the images and, if more is given, what that
// returns for a batch of them.
func paint(ctx context.Context, f train.Function, first int, b *Batch, more func(at []int) any) error {
	size := b.Set.ImageBytes()
	x := make([]float32, generatorBatch*size)
	for lo := 0; lo < len(b.At); lo += generatorBatch {
		at := b.At[lo:min(lo+generatorBatch, len(b.At))]
		for j, i := range at {
			augment.Plain(x[j*size:(j+1)*size], b.Set.Image(i))
		}
		inputs := []any{x}
		if more != nil {
			inputs = append(inputs, more(at))
		}
		if err := f.Call(first, inputs...); err != nil {
			return err
		}
		if err := f.Get(0, x); err != nil {
			return err
		}
		for j, i := range at {
			img := b.Set.Image(i)
			for k := range img {
				img[k] = toByte(255 * float64(x[j*size+k]))
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// crop returns the augmentation of the attacker's own images: a victim's, without cutout.
func (l *Lab) crop() augment.Options {
	o := augment.Standard(min(l.height, l.width), !l.Surrogate.NoFlip)
	o.Cutout = 0
	return o
}

// images fills x with images drawn from the whole set, augmented, and returns which they are. What they are for and
// numbers, such as the step, give them their streams.
func (l *Lab) images(x []float32, set *dataset.Set, o augment.Options, purpose string, numbers ...int) []int {
	size := set.ImageBytes()
	n := len(x) / size
	draw := l.rng(purpose+" batch", numbers...)
	at := make([]int, n)
	for j := range at {
		at[j] = draw(set.Len())
		o.Apply(x[j*size:(j+1)*size], set.Image(at[j]), set.Height, set.Width, rng.Stream(l.Seed, "attack "+l.Name+" "+purpose+" augment", append(numbers, j)...))
	}
	return at
}
