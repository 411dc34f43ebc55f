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
	if got, _, err := set.TwinsUntil(ctx, nil); err != nil || got != set.Twins() {
		t.Errorf("%+v, %v", got, err)
	}
	store := t.TempDir()
	mapped, err := Load(ctx, "testdata/folder", Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	_, digest := set.DigestUntil(ctx)
	_, _, twins := set.TwinsUntil(ctx, nil)
	_, scaled := mapped.Train.Scaled(ctx, 5, 7, nil)
	_, _, loaded := (&decodedFile{decodedHead: decodedHead{Height: 1, Width: 1, Sources: 1, Sums: []uint32{0}}, file: mapped.Train.mapped.file}).load(ctx)
	for name, err := range map[string]error{"digest": digest, "twins": twins, "scaled": scaled, "loaded": loaded} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
