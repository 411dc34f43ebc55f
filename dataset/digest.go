package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
)

// ImageDigest identifies an image: the first 16 bytes of the SHA-256 of its file, or, in a layout that keeps many images in a
// file as raw pixels, of its height, width and pixels as they are stored there. It does not depend on the size that the image
// is read at.
type ImageDigest [16]byte

// String returns the digest in hexadecimal, 32 digits.
func (d ImageDigest) String() string { return hex.EncodeToString(d[:]) }

// ImageDigest returns the digest of image i. Where the set's reader noted none it is that of the pixels in memory.
func (s *Set) ImageDigest(i int) ImageDigest {
	if i < len(s.digests) {
		return s.digests[i]
	}
	return digestPixels(s.Image(i), s.Height, s.Width)
}

// WrittenDigest returns the digest that image i of a set has once Write has stored it in a layout.
func (s *Set) WrittenDigest(layout string, i int) (ImageDigest, error) {
	switch pixels := s.Image(i); layout {
	case "cifar10", "cifar100":
		stored := make([]uint8, len(pixels))
		planes(stored, pixels)
		return digestPixels(stored, s.Height, s.Width), nil
	case "gtsrb":
		return digestFile(encodePPM(pixels, s.Height, s.Width)), nil
	case "folder":
		var file bytes.Buffer
		err := encodePNG(&file, pixels, s.Height, s.Width)
		return digestFile(file.Bytes()), err
	}
	return ImageDigest{}, fmt.Errorf("layout %q can't be written", layout)
}

// storedDigest is what a file of decoded images knows an image by: its digest, but another one where the pixels of the same bytes
// lie channel after channel.
func (r *reading) storedDigest() ImageDigest {
	d, p, known := r.digest, r.record.Raw, r.record.known
	if known != nil && known.Planes || known == nil && p != nil && p.Planar && p.Channels > 1 {
		d[0] ^= 0xff
	}
	return d
}

// digestFile is the digest of an image file's bytes.
func digestFile(raw []byte) (d ImageDigest) {
	sum := sha256.Sum256(raw)
	copy(d[:], sum[:])
	return d
}

// digestPixels is the digest of raw pixels of height h and width w.
func digestPixels(pixels []uint8, h, w int) (d ImageDigest) {
	sum := sha256.New()
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], uint64(h))
	binary.LittleEndian.PutUint64(head[8:], uint64(w))
	sum.Write(head[:])
	sum.Write(pixels)
	copy(d[:], sum.Sum(nil))
	return d
}

// beginDigest begins the digest of a set; the images' pixels follow, in order.
func (s *Set) beginDigest() hash.Hash {
	h := sha256.New()
	var head [24]byte
	for i, v := range []int{s.Len(), s.Height, s.Width} {
		binary.LittleEndian.PutUint64(head[8*i:], uint64(v))
	}
	h.Write(head[:])
	return h
}

// endDigest ends it with the labels.
func (s *Set) endDigest(h hash.Hash) string {
	labels := make([]byte, 4*s.Len())
	for i, l := range s.Labels {
		binary.LittleEndian.PutUint32(labels[4*i:], uint32(l))
	}
	h.Write(labels)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
