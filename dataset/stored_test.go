package dataset

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// kept lists the files in a store.
func kept(t *testing.T, store string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(store)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// likeSet reports where a set differs from another, in what anybody can see of it.
func likeSet(a, b *Set) string {
	if a.Digest() != b.Digest() || a.Grey != b.Grey || a.Height != b.Height || a.Width != b.Width || !slices.Equal(a.Classes, b.Classes) {
		return fmt.Sprintf("%s and %s", a.Digest(), b.Digest())
	}
	for i := range a.Labels {
		if a.Source(i) != b.Source(i) || a.ImageDigest(i) != b.ImageDigest(i) || !bytes.Equal(a.Image(i), b.Image(i)) {
			return "image " + a.Source(i)
		}
	}
	return ""
}

// mixedFolder has images of several sizes and one that is damaged.
func mixedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 30 {
		put(t, filepath.Join(dir, []string{"a", "b"}[i%2], fmt.Sprintf("%02d.png", i)), coloured(t, 20+i%3, 20+i%5))
	}
	put(t, filepath.Join(dir, "a", "17.png"), coloured(t, 20, 20)[:60])
	return dir
}

func TestStoredSetsAreAsThoseInMemory(t *testing.T) {
	cifar, grey := t.TempDir(), t.TempDir()
	if err := Write("cifar10", cifar, &Data{Train: synthetic(30, 32, cifar10Classes), Test: synthetic(10, 32, cifar10Classes)}); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(grey, "images.npy"), npy("|u1", []int{3, 2, 2}, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))
	put(t, filepath.Join(grey, "labels.npy"), npy("|u1", []int{3}, []byte{0, 1, 0}))
	for name, dir := range map[string]string{"folder": mixedFolder(t), "cifar": cifar, "grey": grey} {
		o := Options{SkipBad: true}
		want, err := Load(context.Background(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Store = t.TempDir()
		var before []string
		for _, time := range []string{"first", "second"} {
			got, err := Load(context.Background(), dir, o)
			if err != nil {
				t.Fatal(err)
			}
			if d := likeSet(want.Train, got.Train); d != "" {
				t.Errorf("%s, the %s time: %s", name, time, d)
			}
			if fmt.Sprint(got.Skipped, got.Notes) != fmt.Sprint(want.Skipped, want.Notes) {
				t.Errorf("%s, the %s time: %q and %q", name, time, got.Skipped, got.Notes)
			}
			if files := kept(t, o.Store); before != nil && !slices.Equal(files, before) {
				t.Errorf("%s: the files %q became %q", name, before, files)
			}
			before = kept(t, o.Store)
			c := got.Train.Clone()
			c.Image(0)[0]++
			if d := likeSet(want.Train, got.Train); d != "" {
				t.Errorf("%s: a clone was changed, and so was the set: %s", name, d)
			}
		}
	}
}

func TestStoreIsOfTheImagesThatAreThere(t *testing.T) {
	dir, o := mixedFolder(t), Options{SkipBad: true, Store: t.TempDir()}
	load := func() *Data {
		t.Helper()
		d, err := Load(context.Background(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := load()
	put(t, filepath.Join(dir, "b", "03.png"), coloured(t, 24, 23))
	second := load()
	if len(kept(t, o.Store)) != 2 || first.Train.ImageDigest(15+1) == second.Train.ImageDigest(15+1) && first.Train.Digest() == second.Train.Digest() {
		t.Errorf("another image: %q", kept(t, o.Store))
	}
	put(t, filepath.Join(dir, "b", "03.png"), coloured(t, 20, 23))
	if d := likeSet(first.Train, load().Train); d != "" || len(kept(t, o.Store)) != 2 {
		t.Errorf("the old image again: %s", d)
	}
	o.Size = 12
	if d := load(); d.Train.Height != 12 || len(kept(t, o.Store)) != 3 {
		t.Errorf("another size: %q", kept(t, o.Store))
	}
	o.Size, o.SkipBad = 0, false
	if _, err := Load(context.Background(), dir, o); err == nil || !strings.Contains(err.Error(), "a/17") && !strings.Contains(err.Error(), "17.png") {
		t.Errorf("a damaged image is passed over by the store: %v", err)
	}
}

// The same bytes are other images where their channels lie apart.
func TestStoreKnowsTheOrderOfPixels(t *testing.T) {
	o := Options{Store: t.TempDir()}
	pix := make([]byte, 3*2*2*3)
	for i := range pix {
		pix[i] = byte(7 * i)
	}
	for _, packs := range []bool{false, true} {
		for _, dims := range [][]int{{3, 2, 2, 3}, {3, 3, 2, 2}, {3, 2, 2, 3}} {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "images.npy"), npy("|u1", dims, pix))
			put(t, filepath.Join(dir, "labels.npy"), npy("|u1", []int{3}, []byte{0, 1, 0}))
			want := load(t, dir)
			got, err := Load(context.Background(), dir, o)
			if packs {
				got, _, _, err = inPacks(dir, o)
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := likeSet(want.Train, got.Train); d != "" || len(kept(t, o.Store)) > 2 {
				t.Errorf("%v, in packs %t: %s, %q", dims, packs, d, kept(t, o.Store))
			}
		}
	}
}

func TestDamagedStoresAreMadeAnew(t *testing.T) {
	dir, o := mixedFolder(t), Options{SkipBad: true, Store: t.TempDir()}
	want, err := Load(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.Store, kept(t, o.Store)[0])
	whole := testfile.Read(t, path)
	at := want.Train.Len() * want.Train.ImageBytes()
	for name, raw := range map[string][]byte{
		"a pixel":  flipped(whole, 100),
		"a digest": flipped(whole, at+5),
		"the head": flipped(whole, at+16*31+20),
		"its end":  flipped(whole, len(whole)-1),
		"cut off":  whole[:len(whole)/2],
		"empty":    nil,
		"longer":   append(slices.Clone(whole), 0),
	} {
		if err := os.Remove(path); err != nil { // sets have it mapped
			t.Fatal(err)
		}
		put(t, path, raw)
		got, err := Load(context.Background(), dir, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := likeSet(want.Train, got.Train); d != "" || !strings.Contains(strings.Join(got.Notes, "\n"), "is damaged; it is made anew") {
			t.Errorf("%s: %s, %q", name, d, got.Notes)
		}
		if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, whole) {
			t.Errorf("%s: the file is not what it was: %v", name, err)
		}
	}
}

func flipped(raw []byte, at int) []byte {
	raw = slices.Clone(raw)
	raw[at] ^= 1
	return raw
}

func TestCleanStore(t *testing.T) {
	o := Options{SkipBad: true, Store: t.TempDir()}
	if _, err := Load(context.Background(), mixedFolder(t), o); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(o.Store, "mine.images"), []byte("holiday"))
	put(t, filepath.Join(o.Store, ".decoded.123.partial"), []byte("killed"))
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Load(ctx, mixedFolder(t), o); err == nil {
		t.Error("it goes on after the context ended")
	}
	files, size, err := CleanStore(o.Store)
	if err != nil || files != 2 || size < 1000 || !slices.Equal(kept(t, o.Store), []string{"mine.images"}) {
		t.Errorf("%d files, %d bytes, %v; left: %q", files, size, err, kept(t, o.Store))
	}
	if files, _, err := CleanStore(filepath.Join(o.Store, "none")); files != 0 || err != nil {
		t.Errorf("no folder: %d, %v", files, err)
	}
}

// What there is no room for is said in units that tell it from what there is; a full disk has no room.
func TestRoomForDecodedImages(t *testing.T) {
	for _, c := range []struct {
		need, free int64
		want       string
	}{
		{720_000, 40_000, "take 703 kB, tm has room for 39 kB;"}, {720_000, 0, "tm has room for 0 bytes;"}, {720_000, -1, ""}, {720_000, 720_000, ""},
	} {
		err := roomFor(c.need, c.free, "tm")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d of %d: %v, expected %q", c.need, c.free, err, c.want)
		}
	}
}

// How many read at a time does not matter, and the first error in order is the one that is said.
func TestReadingIsTheSameForAnyNumberOfProcessors(t *testing.T) {
	dir := mixedFolder(t)
	put(t, filepath.Join(dir, "a", "25.png"), coloured(t, 20, 20)[:50])
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want *Data
	for _, n := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(n)
		read := 0
		d, err := Load(context.Background(), dir, Options{SkipBad: true, Watch: func(_ string, done, of int) {
			if read++; done != read || of != 32 {
				t.Errorf("%d of %d after %d", done, of, read)
			}
		}})
		if err != nil || read != 32 {
			t.Fatalf("%d read, %v", read, err)
		}
		if want == nil {
			want = d
		}
		if diff := likeSet(want.Train, d.Train); diff != "" || fmt.Sprint(d.Skipped) != fmt.Sprint(want.Skipped) || len(d.Skipped) != 2 {
			t.Errorf("%d processors: %s, %v", n, diff, d.Skipped)
		}
		if _, err := Load(context.Background(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "17.png") {
			t.Errorf("%d processors: %v", n, err)
		}
	}
}

// What two parts take together, and smaller images beside them, has room before the first part is decoded.
func TestRoomForAllIsAskedFirst(t *testing.T) {
	store := t.TempDir()
	free := diskFree(store)
	if !canMap || free < 0 {
		t.Skip("the room is not known here")
	}
	images := func(bytes int64) *scanned { return &scanned{records: int(bytes / (100 * 100))} }
	b := newBuilder(t.Context(), Options{Store: store})
	if err := b.place(measure{100, 100}, images(free*6/10), nil); err != nil {
		t.Error(err)
	}
	part := images(free * 6 / 10)
	if err := b.place(measure{100, 100}, images(free*6/10), part); err == nil || !strings.Contains(err.Error(), store+" has room for") {
		t.Errorf("two parts of six tenths of the room each: %v", err)
	}
	put(t, filepath.Join(store, "0"+(&decodedHead{Height: 100, Width: 100}).kind(part.records)), nil)
	if err := b.place(measure{100, 100}, part, nil); err != nil {
		t.Errorf("what may be there already is asked for: %v", err)
	}
	b.Smaller = 64
	if got := b.beside(measure{128, 256}, &scanned{records: 10}); got != 10*64*128*3 {
		t.Errorf("%d bytes beside", got)
	}
	if got := b.beside(measure{64, 256}, &scanned{records: 10}); got != 0 {
		t.Errorf("%d bytes beside images that are no larger", got)
	}
	for _, c := range []struct {
		need, beside, free, elsewhere int64
		fits                          bool
	}{{6, 4, 10, 0, true}, {7, 4, 10, 0, false}, {7, 4, 10, 4, true}, {7, 4, -1, 0, true}, {0, 11, 10, 10, false}} {
		if err := roomBeside(c.need, c.beside, c.free, c.elsewhere, "tm"); (err == nil) != c.fits || err != nil && !strings.Contains(err.Error(), "smaller ones that networks look at") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
