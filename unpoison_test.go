package unpoison

import (
	"context"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// measured tells whether the default search was measured as it is now.
const measured = true

// A verdict comes with error rates where they were measured for its configuration: the default one, whatever the number of images.
func TestRatesAreOfTheDefault(t *testing.T) {
	for _, images := range []int{400, 5000, 50000} {
		data := &dataset.Data{Layout: "folder", Train: &dataset.Set{Labels: make([]int32, images)}}
		r, a := Options{Seed: 7}.fit(data)
		if m, err := a.RatesFor(configuration(r, data, 1)); err != nil || (m != nil) != measured {
			t.Errorf("%d images: %+v, %v", images, m, err)
		}
		if m, err := a.RatesFor(configuration(r, data, 2)); err != nil || m != nil {
			t.Errorf("%d larger images: %+v, %v", images, m, err)
		}
		r.Flip = false
		if m, err := a.RatesFor(configuration(r, data, 1)); err != nil || m != nil {
			t.Errorf("%d images, no flips: %+v, %v", images, m, err)
		}
		r.Flip, r.Network = true, "small-cnn"
		if m, err := a.RatesFor(configuration(r, data, 1)); err != nil || m != nil {
			t.Errorf("%d images, another network: %+v, %v", images, m, err)
		}
		r, _ = Options{}.fit(data)
		for _, batch := range []int{32, 64, 128, 256} {
			own := r
			own.Batch = batch
			if m, err := a.RatesFor(configuration(own, data, 1)); err != nil || (m != nil) != (measured && batch == r.Batch) {
				t.Errorf("%d images in batches of %d, and %d suit them: %+v, %v", images, batch, r.Batch, m, err)
			}
		}
	}
}

// Options that can't be are refused before anything is trained.
func TestOptionsAreChecked(t *testing.T) {
	d := signs.Render(1, 100, 10)
	for _, a := range []audit.Options{
		{},
		{InspectEpochs: 1},
		{Content: true, InspectEpochs: -1},
		{Content: true, ContentEpochs: -1},
		{Pixels: true, Learn: -1},
	} {
		if _, err := Audit(context.Background(), d, Options{Search: &a}); err == nil {
			t.Errorf("%+v was taken", a)
		}
	}
	if _, err := Audit(context.Background(), d, Options{Looks: []look.Look{nil}}); err == nil {
		t.Error("a look that is none was taken")
	}
	if _, err := Audit(context.Background(), d, Options{Network: "odd"}); err == nil {
		t.Error("an odd network was taken")
	}
}

// Data that a program made, and whose parts contradict each other, are refused: they made it panic, or judge other images.
func TestDataAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(d *dataset.Data)
		want  string
	}{
		"no images":     {func(d *dataset.Data) { d.Train = nil }, "the data hold no training images"},
		"a label":       {func(d *dataset.Data) { d.Train.Labels[3] = int32(len(d.Train.Classes)) }, "image 3 has the label 4, expected 0 to 3"},
		"a negative":    {func(d *dataset.Data) { d.Train.Labels[3] = -1 }, "image 3 has the label -1"},
		"fewer pixels":  {func(d *dataset.Data) { d.Train.Pixels = d.Train.Pixels[d.Train.ImageBytes():] }, "100 images of 32×32 pixels take 307200 bytes, found 304128"},
		"fewer labels":  {func(d *dataset.Data) { d.Train.Labels = d.Train.Labels[1:] }, "99 images of 32×32 pixels"},
		"grey that are": {func(d *dataset.Data) { d.Train.Grey = true }, "take 102400 bytes, found 307200"},
	} {
		set := signs.Render(1, 100, 10).Train
		d := &dataset.Data{Train: &dataset.Set{Height: set.Height, Width: set.Width, Classes: set.Classes[:4], Pixels: set.Pixels, Labels: make([]int32, 100)}}
		c.spoil(d)
		for _, run := range []func(context.Context, *dataset.Data, Options) (*Result, error){Audit, Train} {
			if _, err := run(t.Context(), d, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := Audit(t.Context(), nil, Options{}); err == nil {
		t.Error("no data were taken")
	}
}

// Road signs are never flipped, and small data get smaller batches, as on the command line.
func TestFitsTheData(t *testing.T) {
	set := &dataset.Set{Labels: make([]int32, 1200)}
	for layout, want := range map[string]bool{"gtsrb": false, "signs": false, "folder": true} {
		r, _ := Options{}.fit(&dataset.Data{Layout: layout, Train: set})
		if r.Flip != want || r.Batch != 32 {
			t.Errorf("%s: flip %v, batch %d", layout, r.Flip, r.Batch)
		}
	}
}
