package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
)

// inPacks reads data by way of small packs, which are decoded one by one.
func inPacks(dir string, o Options) (*Data, *Packed, [][]byte, error) {
	return inPacksOf(dir, o, 2, packBytes)
}

func inPacksOf(dir string, o Options, size, most int) (*Data, *Packed, [][]byte, error) {
	ctx := context.Background()
	var packs [][]byte
	p, err := packUpTo(ctx, dir, o, size, most, func(pack []byte) error {
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

// Packs end early where their files are large, and a file that is larger than a pack has one of its own.
func TestPacksAreBoundedByBytes(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		side := 8
		if i == 5 {
			side = 200
		}
		put(t, filepath.Join(dir, []string{"a", "b"}[i%2], fmt.Sprintf("%02d.png", i)), coloured(t, side, side))
	}
	o := Options{Size: 8}
	want, err := Load(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	_, whole, _, err := inPacksOf(dir, o, 5, packBytes)
	if err != nil || whole.Train.Held != nil || fmt.Sprint(whole.Starts()) != "[0 5 10 12]" {
		t.Errorf("small files: packs of %v records from %v (%v)", whole.Train.Held, whole.Starts(), err)
	}
	one := len(coloured(t, 8, 8))
	got, p, packs, err := inPacksOf(dir, o, 5, 3*one+one/2)
	if err != nil {
		t.Fatal(err)
	}
	if d := likeSet(want.Train, got.Train); d != "" {
		t.Errorf("in uneven packs: %s", d)
	}
	starts := p.Starts()
	alone := false
	for k, raw := range packs {
		set, err := p.Images(k, raw)
		if err != nil || set.Len() != starts[k+1]-starts[k] || set.Len() > 3 {
			t.Fatalf("pack %d has %d images, the packs start at %v (%v)", k, set.Len(), starts, err)
		}
		alone = alone || set.Len() == 1 && set.Source(0) == "b/05.png"
	}
	if !alone || starts[len(packs)] != want.Train.Len() {
		t.Errorf("the large file shares a pack; they start at %v", starts)
	}
	p.Train.Held[0]++
	if p.Check() == nil {
		t.Error("packs of too many records passed")
	}
}
