package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/sysinfo"
	"github.com/unpoison/unpoison/internal/base/version"
)

// place decides where decoded images go: into memory, or into files where that was asked for or they would take more than
// half of it. It refuses what is larger than what there is room for.
func (b *builder) place(size measure, all ...*scanned) error {
	if b.undecoded {
		return nil
	}
	need := int64(0)
	for _, s := range all {
		if s != nil && !s.bare {
			need += int64(s.wanted()) * int64(size.h*size.w*s.channels())
		}
	}
	free, beside := sysinfo.AvailableMemory(), b.beside(size, all[0])
	if b.store = b.Store; b.store == "" && canMap && free > 0 && (need > free/2 || need+beside > free) {
		dir, err := DefaultStore()
		if err != nil {
			return tooLarge(need, fmt.Sprintf("at %v pixels", size))
		}
		if b.store = dir; need <= free/2 {
			need += beside
		}
		b.note("the images take %s, more than half of the free memory: they are kept decoded in %s, for the next command too; unpoison data clean removes them", sysinfo.Size(need), dir)
	}
	if b.store != "" && !canMap {
		b.note("files are not mapped on this system: the images are read into memory")
		b.store = ""
	}
	if b.store == "" {
		return tooLarge(need+beside, fmt.Sprintf("at %v pixels", size))
	}
	if err := os.MkdirAll(b.store, 0o777); err != nil {
		return fmt.Errorf("store %s: %w", b.store, err)
	}
	return b.roomForAll(size, beside, all)
}

// beside is how many bytes smaller images take beside those of a part.
func (b *builder) beside(size measure, s *scanned) int64 {
	h, w := Smaller(size.h, size.w, b.Smaller)
	if s == nil || s.bare || h == size.h {
		return 0
	}
	return int64(s.wanted()) * int64(h*w*3)
}

// roomForAll refuses parts that there is no room for together, and what is needed beside them, before the first one is decoded. Of a
// part that may be in the store already nothing is asked.
func (b *builder) roomForAll(size measure, beside int64, all []*scanned) error {
	entries, err := os.ReadDir(b.store)
	if err != nil {
		return err
	}
	need := int64(0)
	for _, s := range all {
		if s == nil || s.bare {
			continue
		}
		kind := (&decodedHead{Height: size.h, Width: size.w}).kind(s.wanted())
		if !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), kind) }) {
			need += int64(s.wanted()) * int64(size.h*size.w*s.channels())
		}
	}
	free := diskFree(b.store)
	if err := roomFor(need, free, b.store); err != nil {
		return err
	}
	elsewhere := diskFree(os.TempDir())
	if elsewhere == free { // the same disk
		elsewhere -= need
	}
	return roomBeside(need, beside, free, max(elsewhere, sysinfo.AvailableMemory()), b.store)
}

// roomBeside is roomFor smaller images, which may be elsewhere: among temporary files or, if they are few or no disk has room, in memory.
func roomBeside(need, beside, free, elsewhere int64, folder string) error {
	if free < 0 || beside <= max(free-need, elsewhere) {
		return nil
	}
	return fmt.Errorf("the decoded images take %s, and smaller ones that networks look at %s more: %s has room for %s; --store DIR takes another folder, --limit N takes fewer images",
		sysinfo.Size(need), sysinfo.Size(beside), folder, sysinfo.Size(free))
}

// head describes the file for a part's images.
func (b *builder) head(set *Set) decodedHead {
	return decodedHead{
		Made: "unpoison " + version.Number + ", " + runtime.Version(), Height: set.Height, Width: set.Width, Grey: set.Grey, Depth: b.depth,
	}
}

// readStored fills a set from a file in the store that holds its images, or writes one.
func (b *builder) readStored(s *scanned, numbering *classes, set *Set) error {
	want := b.head(set)
	entries, err := os.ReadDir(b.store)
	if err != nil {
		return err
	}
	before := len(b.skipped)
	moving, clears, clearAt := b.moving, b.clear, b.clearAt
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), want.kind(s.wanted())) {
			continue
		}
		path := filepath.Join(b.store, e.Name())
		if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
			continue
		}
		err := b.reuse(path, want, s, numbering, set)
		if err == nil {
			return nil
		}
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if !errors.Is(err, errOthers) {
			b.note("%v; it is made anew", err)
		}
		*set = Set{Height: set.Height, Width: set.Width, Classes: set.Classes, Grey: set.Grey}
		b.skipped, b.bads, b.moving, s.taken = b.skipped[:before], b.bads[:before], moving, 0
		b.clear, b.clearAt = clears, clearAt
		clear(s.counts)
	}
	return b.decodeInto(s, numbering, set)
}

// errOthers says that a file holds other images.
var errOthers = errors.New("other images")

// reuse fills a set from a file, if that is of the images which are there now.
func (b *builder) reuse(path string, want decodedHead, s *scanned, numbering *classes, set *Set) (err error) {
	d, err := openDecoded(path)
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			d.file.Close()
		}
	}()
	if d.Made != want.Made || d.Height != want.Height || d.Width != want.Width || d.Grey != want.Grey || d.Depth != want.Depth {
		return errOthers
	}
	set.reserve(s.wanted(), false)
	seen := 0
	take := func(r *reading) error {
		if r.image {
			const n = len(ImageDigest{})
			if of := r.storedDigest(); seen >= d.Sources || !bytes.Equal(d.digests[seen*n:(seen+1)*n], of[:]) {
				return errOthers
			}
			if bad, ok := d.Bad[seen]; ok {
				r.err = &RecordError{r.record.Source, r.record.Row, bad.Want, bad.Got}
			} else if r.err != nil {
				return errOthers
			}
			_, r.clear = slices.BinarySearch(d.Clear, seen)
			seen++
		}
		return b.take(s, set, r, func() error { return nil })
	}
	if err := b.records(s, numbering, (*reading).identify, take); err != nil {
		return err
	}
	if seen != d.Sources {
		return errOthers
	}
	if set.mapped, set.Pixels, err = d.load(b.ctx); err != nil {
		return err
	}
	kept = set.mapped != nil
	return nil
}

// manyDecoded are bytes of decoded images that are told of before they are written.
const manyDecoded = 1 << 30

// roomFor refuses what a folder has no room for; free is −1 where that is not known.
func roomFor(need, free int64, folder string) error {
	if free < 0 || need <= free {
		return nil
	}
	return fmt.Errorf("the decoded images take %s, %s has room for %s; --store DIR takes another folder, --size N makes them smaller", sysinfo.Size(need), folder, sysinfo.Size(free))
}

// decodeInto fills a set and writes its pixels to a file, which is mapped.
func (b *builder) decodeInto(s *scanned, numbering *classes, set *Set) error {
	need := int64(s.wanted()) * int64(set.stored())
	free := diskFree(b.store)
	if err := roomFor(need, free, b.store); err != nil {
		return err
	}
	if b.Tell != nil && need >= manyDecoded {
		room := ""
		if free >= 0 {
			room = ", which has room for " + sysinfo.Size(free)
		}
		b.Tell(fmt.Sprintf("the decoded images will take %s in %s%s", sysinfo.Size(need), b.store, room))
	}
	w, err := newDecodedWriter(b.store, b.head(set))
	if err != nil {
		return err
	}
	defer w.drop()
	set.reserve(s.wanted(), false)
	take := func(r *reading) error {
		var bad *RecordError
		if r.image && (r.err == nil || errors.As(r.err, &bad)) {
			if r.clear && bad == nil {
				w.head.Clear = append(w.head.Clear, w.head.Sources)
			}
			if err := w.add(r.pixels, r.storedDigest(), bad); err != nil {
				return fmt.Errorf("%s: %w", b.store, err)
			}
		}
		return b.take(s, set, r, func() error { return nil })
	}
	if err := b.records(s, numbering, func(r *reading) error { return b.decode(r, set) }, take); err != nil {
		return err
	}
	path, err := w.finish(s.wanted())
	if err != nil {
		return fmt.Errorf("%s: %w", b.store, err)
	}
	d, err := openDecoded(path)
	if err != nil {
		return err
	}
	if set.mapped, set.Pixels, err = d.load(b.ctx); err != nil {
		d.file.Close()
		return err
	}
	set.Pixels = slices.Clip(set.Pixels)
	return nil
}
