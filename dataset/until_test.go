package dataset

import (
	"context"
	"errors"
	"testing"
)

// Passes over the images end with the context.
func TestPassesEndWithTheContext(t *testing.T) {
	set := synthetic(10, 8, []string{"a", "b"})
	ctx, stop := context.WithCancel(t.Context())
	if got, err := set.DigestUntil(ctx); err != nil || got != set.Digest() {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := set.PrintsUntil(ctx, nil); err != nil || got.Digest != set.Digest() {
		t.Errorf("%+v, %v", got, err)
	}
	store := t.TempDir()
	mapped, err := Load(ctx, "testdata/folder", Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	_, digest := set.DigestUntil(ctx)
	_, prints := set.PrintsUntil(ctx, nil)
	_, scaled := mapped.Train.Scaled(ctx, 5, 7, nil)
	_, _, loaded := (&decodedFile{decodedHead: decodedHead{Height: 1, Width: 1, Sources: 1, Sums: []uint32{0}}, file: mapped.Train.mapped.file}).load(ctx)
	for name, err := range map[string]error{"digest": digest, "prints": prints, "scaled": scaled, "loaded": loaded} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One pass over images that are worked on in several parts tells what a pass for each question does.
func TestPrintsAreOfOnePass(t *testing.T) {
	set := synthetic(5, 1400, []string{"a", "b"})
	copy(set.Image(4), set.Image(1))
	parts := 0
	got, err := set.PrintsUntil(t.Context(), func(int) { parts++ })
	if err != nil || parts != 3 || got.Digest != set.Digest() {
		t.Errorf("%d parts, %v, the same digest: %v", parts, err, got.Digest == set.Digest())
	}
	for i, d := range got.digests {
		if d != digestPixels(set.Image(i), set.Height, set.Width) {
			t.Errorf("image %d has another digest", i)
		}
	}
	if twins := got.Twins(); twins.Same != 1 || twins.First != [2]string{set.Source(1), set.Source(4)} {
		t.Errorf("%+v", twins)
	}
	grey := &Set{Height: 1, Width: 2, Grey: true, Classes: set.Classes, Labels: []int32{0, 1}, Pixels: []uint8{1, 2, 1, 2}}
	if got, err := grey.PrintsUntil(t.Context(), nil); err != nil || got.Digest != grey.Digest() || got.Twins().Conflicting != 1 {
		t.Errorf("of grey images: %+v, %v", got, err)
	}
}
