package train

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset/signs"
)

// An image takes part as it is and stamped, with the same crop: what tells the two apart is the stamp.
func TestPhaseStamps(t *testing.T) {
	p := &Phase{Name: "test", Data: signs.Render(1, 20, 0).Train, Batch: 1, Augment: augment.Standard(32, true), Seed: 3}
	p.Indices = []int{3, 7, 9}
	white := &augment.Stamp{Scale: make([]float32, p.Data.ImageBytes()), Shift: make([]float32, p.Data.ImageBytes())}
	for k := range white.Scale {
		white.Scale[k] = 1
	}
	white.Scale[0], white.Shift[0] = 0, 1
	p.More = []Example{{Image: 7, Stamp: white}, {Image: 7}}
	way := map[bool]int{} // how often image 7 was shown as it is, and stamped
	if err := Loop(context.Background(), p.Data, 1, 0, p.Len(), p.filler(p.Len()), func(_ int, b *Batch) error {
		image, stamped := p.Data.Image(7), b.Images[0] < 0
		if !stamped && b.Images[0] != 7 {
			return nil
		}
		way[stamped]++
		if stamped {
			image = white.On(image)
		}
		want := make([]float32, len(image))
		p.Augment.Apply(want, image, p.Data.Height, p.Data.Width, p.draws(0, 7))
		if !slices.Equal(b.X, want) {
			t.Errorf("stamped %v: not the image with the stamp, cropped and flipped like the one without", stamped)
		}
		if b.Labels[0] != p.Data.Labels[7] {
			t.Errorf("the label is %d, expected %d", b.Labels[0], p.Data.Labels[7])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if way[false] != 2 || way[true] != 1 {
		t.Errorf("image 7 was shown %d times as it is and %d times stamped", way[false], way[true])
	}
}

// A stamp that has a share is laid on in this share of the epochs, drawn anew in each, and on all images as often; without one it always is.
func TestStampsHaveAShare(t *testing.T) {
	const images, epochs = 100, 200
	p := &Phase{Name: "test", Seed: 3}
	for share, want := range map[float64]float64{0: 1, 0.25: 0.25, 1: 1} {
		in := make([]int, epochs) // how many images are stamped
		of := make([]int, images) // in how many epochs an image is
		for epoch := range epochs {
			for i := range images {
				e := Example{Image: i, Stamp: &augment.Stamp{}, Share: share}
				if p.stamped(e, epoch) {
					in[epoch]++
					of[i]++
				}
				if e.Stamp = nil; p.stamped(e, epoch) {
					t.Fatal("an example without a stamp is stamped")
				}
			}
		}
		sum := 0
		for _, n := range in {
			sum += n
		}
		if got := float64(sum) / images / epochs; math.Abs(got-want) > 0.01 {
			t.Errorf("share %g: %g of all", share, got)
		}
		least := int(0.5 * want * epochs)
		if slices.Min(of) < least || want < 1 && (slices.Max(of) > 2*int(want*epochs) || slices.Min(in) == slices.Max(in)) {
			t.Errorf("share %g: an image is stamped in %d to %d epochs, an epoch has %d to %d", share, slices.Min(of), slices.Max(of), slices.Min(in), slices.Max(in))
		}
	}
}
