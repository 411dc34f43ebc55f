// Package dataset holds labelled images in memory and reads and writes them in the layouts in which
// people have them. Each layout has a file of its own.
package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// Set is a list of labelled RGB images of one size, kept as bytes.
type Set struct {
	Height, Width int
	Classes       []string
	Pixels        []uint8 // N × Height × Width × 3, rows from the top
	Labels        []int32 // indices into Classes

	Files []string // where images came from
	file  []int32  // per image: index into Files
	row   []int32  // per image: record in a file of many images, from 0; -1 for a file of one

	digests []ImageDigest // per image; empty: of the pixels in memory
}

// Len returns the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// ImageBytes returns the bytes of one image.
func (s *Set) ImageBytes() int { return s.Height * s.Width * 3 }

// Image returns the bytes of image i, which are the set's own.
func (s *Set) Image(i int) []uint8 {
	n := s.ImageBytes()
	return s.Pixels[i*n : (i+1)*n : (i+1)*n]
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

// mostReserved bounds what a file's claims about its length can reserve.
const mostReserved = 1 << 20

// reserve makes room for n images in an empty set: a slice that grows needs more than twice its memory while it moves.
func (s *Set) reserve(n int) {
	s.Pixels = make([]uint8, 0, min(n, mostReserved)*s.ImageBytes())
}

// add appends an image that came from row (or -1) of a file.
func (s *Set) add(pixels []uint8, label int32, file string, row int) {
	k := len(s.Files) - 1
	if k < 0 || s.Files[k] != file {
		s.Files = append(s.Files, file)
		k++
	}
	s.Pixels = append(s.Pixels, pixels...)
	s.Labels = append(s.Labels, label)
	s.file = append(s.file, int32(k))
	s.row = append(s.row, int32(row))
}

// Subset returns a copy with the images of the given indices, in that order.
func (s *Set) Subset(indices []int) *Set {
	n := s.ImageBytes()
	t := &Set{Height: s.Height, Width: s.Width, Classes: s.Classes, Files: s.Files}
	t.Pixels = make([]uint8, 0, n*len(indices))
	for _, i := range indices {
		t.Pixels = append(t.Pixels, s.Image(i)...)
		t.Labels = append(t.Labels, s.Labels[i])
		if i < len(s.file) {
			t.file = append(t.file, s.file[i])
			t.row = append(t.row, s.row[i])
		}
		if i < len(s.digests) {
			t.digests = append(t.digests, s.digests[i])
		}
	}
	return t
}

// Clone returns a copy whose pixels and labels can be changed.
func (s *Set) Clone() *Set {
	t := *s
	t.Pixels, t.Labels = slices.Clone(s.Pixels), slices.Clone(s.Labels)
	return &t
}

// OrderClasses numbers the classes as names does, and reports whether these are the same names, each once. If not, the set
// stays as it is.
func (s *Set) OrderClasses(names []string) bool {
	if len(names) != len(s.Classes) {
		return false
	}
	to := make([]int32, len(names))
	for c, name := range s.Classes {
		to[c] = int32(slices.Index(names, name))
		if to[c] < 0 || slices.Contains(to[:c], to[c]) {
			return false
		}
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
	h := sha256.New()
	var head [24]byte
	for i, v := range []int{s.Len(), s.Height, s.Width} {
		binary.LittleEndian.PutUint64(head[8*i:], uint64(v))
	}
	h.Write(head[:])
	h.Write(s.Pixels)
	buf := make([]byte, 4*s.Len())
	for i, l := range s.Labels {
		binary.LittleEndian.PutUint32(buf[4*i:], uint32(l))
	}
	h.Write(buf)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Duplicates counts images that equal an earlier one byte for byte, and those among them whose
// label differs from the earlier one's.
func (s *Set) Duplicates() (same, conflicting int) {
	first := make(map[[32]byte]int32, s.Len())
	for i := range s.Labels {
		h := sha256.Sum256(s.Image(i))
		if l, ok := first[h]; ok {
			same++
			if l != s.Labels[i] {
				conflicting++
			}
			continue
		}
		first[h] = s.Labels[i]
	}
	return same, conflicting
}

// Data is a training set and a test set, which may be empty.
type Data struct {
	Layout  string // "cifar10", "gtsrb", …
	Path    string
	Train   *Set
	Test    *Set
	Skipped []error // what --skip-bad passed over
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
	return fmt.Sprintf("%s: expected %s, found %s", where, e.Want, e.Got)
}
