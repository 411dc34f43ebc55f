package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

// inPacks reads data by way of small packs, which are decoded one by one.
func inPacks(dir string, o Options) (*Data, *Packed, [][]byte, error) {
	ctx := context.Background()
	var packs [][]byte
	p, err := Pack(ctx, dir, o, 2, func(pack []byte) error {
		packs = append(packs, pack)
		return nil
	})
	if err != nil {
		return nil, nil, nil, err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, nil, nil, err
	}
	p = &Packed{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, nil, nil, err
	}
	if _, all := p.Packs(); all != len(packs) {
		return nil, nil, nil, fmt.Errorf("%d packs, expected %d", len(packs), all)
	}
	for k := range packs {
		if packs[k], err = p.Decode(ctx, k, packs[k]); err != nil {
			return nil, nil, nil, err
		}
	}
	d, err := p.Read(ctx, Options{Store: o.Store}, func(k int) ([]byte, error) { return packs[k], nil })
	return d, p, packs, err
}

// sameInPacks compares what Load made of data with what comes out of packs.
func sameInPacks(t *testing.T, dir string, o Options, want *Data) {
	t.Helper()
	if o.Limit > 0 || o.Store != "" {
		return
	}
	got, p, packs, err := inPacks(dir, o)
	if err != nil {
		t.Errorf("in packs: %v", err)
		return
	}
	if d := likeSet(want.Train, got.Train); d != "" {
		t.Errorf("in packs: %s", d)
	}
	if (want.Test == nil) != (got.Test == nil) {
		t.Fatal("in packs: test images are missing")
	}
	if want.Test != nil {
		if d := likeSet(want.Test, got.Test); d != "" {
			t.Errorf("in packs, test images: %s", d)
		}
	}
	for i := range want.Train.Labels {
		a, m := want.Train.Listed(i)
		if b, n := got.Train.Listed(i); a != b || m != n {
			t.Errorf("in packs: image %d is listed in %s:%d, expected %s:%d", i, b, n, a, m)
		}
	}
	if fmt.Sprint(got.Notes, got.Skipped, got.Unlabelled, got.Summary()) != fmt.Sprint(want.Notes, want.Skipped, want.Unlabelled, want.Summary()) {
		t.Errorf("in packs: %q, %v, %s; expected %q, %v, %s", got.Notes, got.Skipped, got.Summary(), want.Notes, want.Skipped, want.Summary())
	}
	// The packs hold the images in the set's order.
	at, train := 0, 0
	if train, _ = p.Packs(); train == 0 {
		t.Error("no packs")
	}
	for k := range train {
		set, err := p.Images(k, packs[k])
		if err != nil {
			t.Fatal(err)
		}
		for i := range set.Labels {
			if set.Source(i) != want.Train.Source(at) || string(set.Image(i)) != string(want.Train.Image(at)) {
				t.Errorf("image %d of pack %d is not image %d", i, k, at)
			}
			at++
		}
	}
	if at != want.Train.Len() {
		t.Errorf("the packs hold %d images, expected %d", at, want.Train.Len())
	}
}

// Images of several sizes, one of them damaged, in packs and files of decoded images.
func TestPacks(t *testing.T) {
	dir := mixedFolder(t)
	o := Options{SkipBad: true}
	want, err := Load(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	sameInPacks(t, dir, o, want)
	o.Store = t.TempDir()
	got, _, _, err := inPacks(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if d := likeSet(want.Train, got.Train); d != "" {
		t.Errorf("mapped: %s", d)
	}
	if got.Train.mapped == nil && canMap {
		t.Error("the images are in memory")
	}
	if _, _, _, err := inPacks(dir, Options{}); err == nil {
		t.Error("a damaged image was passed over")
	} else if bad := (*RecordError)(nil); !errors.As(err, &bad) || bad.File != "a/17.png" {
		t.Errorf("a damaged image: %v", err)
	}
	if _, err := decodePack([]byte("no pack")); err == nil {
		t.Error("what is no pack was read")
	}
}
