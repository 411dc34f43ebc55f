// Package dataset holds labelled images in memory and reads and writes them in the layouts in which
// people have them. Each layout has a file of its own.
//
// An image is named by its source, which is the same whenever the same files are read, and no other image's: the path of
// its file relative to the data; archive/member in an archive; file:row in a file of many images, counted from 0. Where a
// table names a file twice, the second image is file:row by the table's row, counted from 1. An image's digest depends on
// its bytes alone.
package dataset

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/unpoison/unpoison/internal/base/printable"
)

// Set is a list of labelled images of one size, kept as bytes.
type Set struct {
	Height, Width int
	Classes       []string
	Pixels        []uint8 // N × Height × Width × 3, or × 1 if Grey; rows from the top. Nil in a part of a set that is mapped: see Image
	Labels        []int32 // indices into Classes
	Grey          bool    // all images are grey and one channel is kept; Image still is RGB

	Files  []string // where images came from
	folder string   // the name of the folder or file that these are in; empty: not known
	file   []int32  // per image: index into Files
	row    []int32  // per image: record in a file of many images, from 0; -1 for a file of one

	digests []ImageDigest // per image; empty: of the pixels in memory

	mapped *mapping // what the pixels are a part of; nil: memory
	whole  []uint8  // the pixels of a mapped set that this is a part of
	place  []int32  // per image: its place in whole, or ^k for the k-th in copies; nil: the pixels are this set's
	copies []uint8  // images of this set's own, in one that CloneSome made
	edits  bool     // whether images of the mapped file may have been changed in memory

	tables   []string // files that name images
	table    []int32  // per image: index into tables; empty if no table names any
	tableRow []int32  // per image: row, from 1
}

// Len returns the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// ImageBytes returns the bytes of one RGB image.
func (s *Set) ImageBytes() int { return s.Height * s.Width * 3 }

// stored returns the bytes of one image as they are kept.
func (s *Set) stored() int {
	if s.Grey {
		return s.Height * s.Width
	}
	return s.ImageBytes()
}

// Image returns the RGB bytes of image i: the set's own, or of a grey set a copy, so that only what Clone and Subset return
// can be changed by them. It panics with a LostError if the image is in a mapped file that was cut off meanwhile.
func (s *Set) Image(i int) []uint8 {
	own := s.own(i)
	if !s.Grey {
		return own
	}
	return appendRGB(make([]uint8, 0, 3*len(own)), own)
}

// own returns the bytes of image i as they are kept.
func (s *Set) own(i int) []uint8 {
	from, n, mapped := s.Pixels, s.stored(), s.mapped != nil
	if s.place != nil {
		if from, i = s.whole, int(s.place[i]); i < 0 {
			from, i, mapped = s.copies, ^i, false
		}
	}
	own := from[i*n : (i+1)*n : (i+1)*n]
	if mapped {
		if s.place != nil || s.mapped.random.Load() > 0 {
			fetch(own)
		}
		s.mapped.look(own)
	}
	return own
}

// view is Image for looking only: of a grey set in scratch, until its next use.
func (s *Set) view(i int, scratch *[]uint8) []uint8 {
	if !s.Grey {
		return s.Image(i)
	}
	*scratch = appendRGB((*scratch)[:0], s.own(i))
	return *scratch
}

// appendRGB appends grey pixels as RGB.
func appendRGB(dst, grey []uint8) []uint8 {
	for _, v := range grey {
		dst = append(dst, v, v, v)
	}
	return dst
}

// firstChannel returns the first of three channels.
func firstChannel(rgb []uint8) []uint8 {
	out := make([]uint8, len(rgb)/3)
	for k := range out {
		out[k] = rgb[3*k]
	}
	return out
}

// Source says where image i came from: a file, or a file and the row in it.
func (s *Set) Source(i int) string {
	if i >= len(s.file) {
		return fmt.Sprintf("image %d", i)
	}
	name := s.Files[s.file[i]]
	if s.row[i] < 0 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, s.row[i])
}

// reserve makes room for n images in an empty set: a slice that grows needs more than twice its memory while it moves.
func (s *Set) reserve(n int, pixels bool) {
	if pixels {
		s.Pixels = make([]uint8, 0, n*s.stored())
	}
	s.Labels = make([]int32, 0, n)
	s.file, s.row, s.digests = make([]int32, 0, n), make([]int32, 0, n), make([]ImageDigest, 0, n)
}

// add appends an image that came from row (or -1) of a file.
func (s *Set) add(pixels []uint8, label int32, file string, row int) {
	s.Pixels = append(s.Pixels, pixels...)
	s.from(label, file, row)
}

// from is add without the pixels.
func (s *Set) from(label int32, file string, row int) {
	k := len(s.Files) - 1
	if k < 0 || s.Files[k] != file {
		s.Files = append(s.Files, file)
		k++
	}
	s.Labels = append(s.Labels, label)
	s.file = append(s.file, int32(k))
	s.row = append(s.row, int32(row))
}

// listed notes the table and row that name the image added last.
func (s *Set) listed(table string, row int) {
	if table == "" {
		return
	}
	if k := len(s.tables) - 1; k < 0 || s.tables[k] != table {
		s.tables = append(s.tables, table)
	}
	s.table, s.tableRow = append(s.table, int32(len(s.tables)-1)), append(s.tableRow, int32(row))
}

// Listed returns the table and the row in it, from 1, that name image i, or "".
func (s *Set) Listed(i int) (table string, row int) {
	if i >= len(s.table) {
		return "", 0
	}
	return s.tables[s.table[i]], int(s.tableRow[i])
}

// Subset returns a copy with the images of the given indices, in that order, whose pixels and labels can be changed. Of a set
// that is mapped it is mapped too, unless the set is grey.
func (s *Set) Subset(indices []int) *Set { return s.pick(indices).InRGB() }

// View is Subset for looking only: its pixels are this set's. It takes some 30 bytes an image.
func (s *Set) View(indices []int) *Set {
	t := s.about(indices)
	t.mapped, t.edits, t.whole, t.place = s.mapped, s.edits, s.Pixels, make([]int32, len(indices))
	if s.place != nil {
		t.whole, t.copies = s.whole, s.copies
	}
	for k, i := range indices {
		if t.place[k] = int32(i); s.place != nil {
			t.place[k] = s.place[i]
		}
	}
	return t
}

// pick is Subset without the promise that Image can be changed.
func (s *Set) pick(indices []int) *Set {
	t := s.about(indices)
	if !t.share(s, indices) {
		t.Pixels = make([]uint8, 0, s.stored()*len(indices))
		for _, i := range indices {
			t.Pixels = append(t.Pixels, s.own(i)...)
		}
	}
	return t
}

// about is what there is about images, without their pixels.
func (s *Set) about(indices []int) *Set {
	t := &Set{Height: s.Height, Width: s.Width, Classes: s.Classes, Files: s.Files, folder: s.folder, Grey: s.Grey, tables: s.tables}
	for _, i := range indices {
		t.Labels = append(t.Labels, s.Labels[i])
		if i < len(s.file) {
			t.file = append(t.file, s.file[i])
			t.row = append(t.row, s.row[i])
		}
		if i < len(s.digests) {
			t.digests = append(t.digests, s.digests[i])
		}
		if i < len(s.table) {
			t.table, t.tableRow = append(t.table, s.table[i]), append(t.tableRow, s.tableRow[i])
		}
	}
	return t
}

// Clone returns a copy whose pixels and labels can be changed.
func (s *Set) Clone() *Set {
	t := *s
	t.Labels = slices.Clone(s.Labels)
	if s.Grey {
		return t.InRGB()
	}
	if !t.share(s, nil) {
		t.Pixels, t.place, t.whole, t.copies, t.mapped = make([]uint8, 0, s.Len()*s.stored()), nil, nil, nil, nil
		for i := range s.Len() {
			t.Pixels = append(t.Pixels, s.own(i)...)
		}
	}
	return &t
}

// CloneBytes is about how much memory a Clone takes of which some images are changed.
func (s *Set) CloneBytes(changed int) int64 {
	if s.mapped != nil && !s.Grey {
		return int64(changed) * int64(s.ImageBytes()+2*os.Getpagesize()) // a changed byte takes its page
	}
	return int64(s.Len()) * int64(s.ImageBytes())
}

// InRGB gives a grey set three channels, in memory, so that what is written to its images stays there. It returns the set.
func (s *Set) InRGB() *Set {
	if s.Grey {
		pixels := make([]uint8, 0, s.Len()*s.ImageBytes())
		for i := range s.Len() {
			pixels = appendRGB(pixels, s.own(i))
		}
		s.Pixels, s.Grey, s.mapped, s.whole, s.place = pixels, false, nil, nil, nil
	}
	return s
}

// OrderClasses takes over the classes of names, and reports whether the set's own are among them, each once. If not, the set stays as
// it is.
func (s *Set) OrderClasses(names []string) bool {
	at := make(map[string]int32, len(names))
	for k, name := range names {
		at[name] = int32(k)
	}
	if len(at) != len(names) {
		return false
	}
	to := make([]int32, len(s.Classes))
	for c, name := range s.Classes {
		k, ok := at[name]
		if !ok {
			return false
		}
		to[c] = k
		delete(at, name)
	}
	for i, l := range s.Labels {
		s.Labels[i] = to[l]
	}
	s.Classes = names
	return true
}

// Counts returns the number of images of each class.
func (s *Set) Counts() []int {
	n := make([]int, len(s.Classes))
	for _, l := range s.Labels {
		n[l]++
	}
	return n
}

// OfClass returns the indices of the images of a class.
func (s *Set) OfClass(c int32) []int {
	var all []int
	for i, l := range s.Labels {
		if l == c {
			all = append(all, i)
		}
	}
	return all
}

// Digest identifies images and labels, in order: the same for the same data in any layout.
func (s *Set) Digest() string {
	digest, _ := s.DigestUntil(context.Background())
	return digest
}

// DigestUntil is Digest, or the context's error once that ends.
func (s *Set) DigestUntil(ctx context.Context) (string, error) {
	h := s.beginDigest()
	var scratch []uint8
	for i := range s.Labels {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		h.Write(s.view(i, &scratch))
	}
	return s.endDigest(h), nil
}

// Data is a training set and a test set, which may be empty.
type Data struct {
	Layout  string // "cifar10", "gtsrb", …
	Path    string
	Train   *Set
	Test    *Set
	Skipped []error // what --skip-bad passed over
	// Notes are sentences about what was found that users have to know.
	Notes []string
	// Unlabelled is how many test images have no labels and are not in Test.
	Unlabelled int
	// Depth is how many bits samples of 16 were taken to have; 0 where no image has such.
	Depth int

	parts [2]string   // what the training and the test part are called
	bads  []badRecord // those of Skipped, one for each

	ctx context.Context //nolint:containedctx // of WriteUntil, whose writers take none
}

// Summary says in a line what was understood.
func (d *Data) Summary() string {
	part := func(s *Set, of string, name string) string {
		if s == nil {
			return "no " + of + " images"
		}
		text := fmt.Sprintf("%d %s images", s.Len(), of)
		if name != "" {
			text += " from " + name
		}
		return text
	}
	colour := "RGB"
	if d.Train.Grey {
		colour = "grey"
	}
	return fmt.Sprintf("%s: %s, %s, %d classes, %d×%d %s", d.Layout, part(d.Train, "training", d.parts[0]), part(d.Test, "test", d.parts[1]),
		len(d.Train.Classes), d.Train.Width, d.Train.Height, colour)
}

// RecordError says what is wrong with one image or record.
type RecordError struct {
	File string
	Row  int // -1 if the file is one image
	Want string
	Got  string
}

func (e *RecordError) Error() string {
	where := e.File
	if e.Row >= 0 {
		where = fmt.Sprintf("%s, row %d", e.File, e.Row)
	}
	return printable.Text(fmt.Sprintf("%s: expected %s, found %s", where, e.Want, e.Got))
}
