package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// mappedSet is a set of 400 images of 30 kB that is mapped, and the file.
func mappedSet(t *testing.T) (*Set, string) {
	t.Helper()
	if !canMap {
		t.Skip("files are not mapped on this system")
	}
	dir, store := t.TempDir(), t.TempDir()
	const n, side = 400, 100
	pixels, labels := make([]byte, n*side*side*3), make([]byte, n)
	for i := range pixels {
		pixels[i] = byte(i*7 + i/(side*side*3))
	}
	for i := range labels {
		labels[i] = byte(i % 10)
	}
	put(t, filepath.Join(dir, "images.npy"), npy("|u1", []int{n, side, side, 3}, pixels))
	put(t, filepath.Join(dir, "labels.npy"), npy("|u1", []int{n}, labels))
	d, err := Load(context.Background(), dir, Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.mapped == nil || !bytes.Equal(d.Train.Pixels, pixels) {
		t.Fatal("the set is not mapped, or another one")
	}
	return d.Train, filepath.Join(store, kept(t, store)[0])
}

// A file of decoded images that is cut off while it is mapped is an error that names it, not the end of the program.
func TestLostFilesAreErrors(t *testing.T) {
	set, file := mappedSet(t)
	part := set.Subset([]int{399, 2})
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o444 {
		t.Errorf("others may write to it: %v, %v", st.Mode(), err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 400*30000/2); err != nil {
		t.Fatal(err)
	}
	if set.Image(3)[0] != set.Pixels[3*30000] {
		t.Error("what is still there is another image")
	}
	for name, do := range map[string]func(){
		"an image": func() { set.Image(399) }, "the digest": func() { set.Digest() }, "a part": func() { part.Image(0) }, "a clone": func() { set.Clone().Image(399) },
		"duplicates": func() { set.Twins() },
	} {
		err := errors.New("before")
		func() {
			defer Lost(&err)
			do()
		}()
		var lost *LostError
		if !errors.As(err, &lost) || lost.File != file {
			t.Errorf("%s: %v", name, err)
		}
	}
	defer func() {
		if p := recover(); p != "other" {
			t.Errorf("another panic became %v", p)
		}
	}()
	func() {
		var err error
		defer Lost(&err)
		set.mapped.guard(func() { panic("other") })
	}()
}

// What was changed in a copy of a mapped set is changed in its copies, parts and their copies too, and in nothing else.
func TestCopiesOfChangedMappedSetsAreChanged(t *testing.T) {
	set, _ := mappedSet(t)
	before := set.Digest()
	changed := set.Clone()
	changed.Image(3)[0]++
	want := bytes.Clone(changed.Image(3))
	at := []int{5, 3}
	for name, got := range map[string][]uint8{
		"clone": changed.Clone().Image(3), "clone's clone": changed.Clone().Clone().Image(3), "subset": changed.Subset(at).Image(1),
		"view": changed.View(at).Image(1), "view's clone": changed.View(at).Clone().Image(1), "subset's subset": changed.Subset(at).Subset([]int{1}).Image(0),
	} {
		if !bytes.Equal(got, want) {
			t.Errorf("the %s lost a change", name)
		}
	}
	if c := changed.Clone(); c.mapped == nil || !bytes.Equal(c.Image(5), set.Image(5)) || set.Digest() != before {
		t.Error("more was changed, or the copy is not mapped")
	}
}

// A part of a mapped set is mapped, and its own.
func TestPartsOfMappedSets(t *testing.T) {
	set, _ := mappedSet(t)
	want := &Set{Height: set.Height, Width: set.Width, Classes: set.Classes, Pixels: slices.Clone(set.Pixels), Labels: set.Labels}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	at := []int{7, 399, 7, 0}
	for i := range 300 {
		at = append(at, i)
	}
	part := set.Subset(at)
	again := part.Subset([]int{3, 1, 2})
	c := part.Clone()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("%d bytes were taken for parts of a mapped set", took)
	}
	for name, sets := range map[string][2]*Set{"part": {part, want.Subset(at)}, "part of it": {again, want.Subset([]int{0, 399, 7})}, "clone": {c, want.Subset(at)}} {
		if got, want := sets[0], sets[1]; got.Digest() != want.Digest() || got.Len() != want.Len() || got.Source(1) == "" {
			t.Errorf("%s: %d images, others than the %d expected", name, got.Len(), want.Len())
		}
	}
	digest := set.Digest()
	part.Image(0)[5]++
	c.Image(0)[5] += 2
	if set.Digest() != digest || part.Image(2)[5] != set.Image(7)[5]+1 || c.Image(0)[5] != set.Image(7)[5]+2 || again.Image(2)[5] != set.Image(7)[5] {
		t.Error("a change of one set is seen in another")
	}
}

// Features whose file is cut off or written to while it is mapped are an error.
func TestLostFeatures(t *testing.T) {
	raw := testfile.Read(t, "testdata/features/torch-float32.npy")
	path := filepath.Join(t.TempDir(), "f.npy")
	put(t, path, raw)
	f, err := LoadFeatures(path, sixImages(), FeatureOptions{})
	if err != nil || f.Unchanged() != nil {
		t.Fatal(err, f.Unchanged())
	}
	if f.read == nil {
		t.Skip("files are not mapped on this system")
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if err := f.Unchanged(); err == nil {
		t.Error("a change is not noticed")
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	func() {
		defer Lost(&err)
		t.Error(fmt.Sprint(f.At(5)))
	}()
	var lost *LostError
	if !errors.As(err, &lost) || lost.File != path {
		t.Error(err)
	}
}
