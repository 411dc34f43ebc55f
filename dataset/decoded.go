package dataset

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// A file of decoded images: the pixels of one image after another, then the storedDigest of each image that they were made of, 16
// bytes each and in the order of the data, then a decodedHead in JSON, and decodedEnd bytes: the SHA-256 of digests and
// head, the length of the head, and decodedMagic. Its name is made of all that the pixels depend on.

const (
	decodedMagic  = "unpoison images\n"
	decodedEnd    = sha256.Size + 8 + len(decodedMagic)
	decodedSuffix = ".images"
	decodedPart   = ".partial" // ends the names of files that are being written
	decodedBlock  = 16 << 20   // bytes of pixels that a checksum is of
)

// decodedHead says what a file of decoded images holds.
type decodedHead struct {
	Made    string             `json:"made"` // by which versions
	Height  int                `json:"height"`
	Width   int                `json:"width"`
	Grey    bool               `json:"grey"`
	Depth   int                `json:"depth"`           // bits of a sample, of images with 16
	Sources int                `json:"sources"`         // images that were decoded, or were to be
	Bad     map[int]badDecoded `json:"bad"`             // those that could not
	Sums    []uint32           `json:"sums"`            // CRC-32C of each decodedBlock bytes of pixels
	Clear   []int              `json:"clear,omitempty"` // those that are, see isClear
}

type badDecoded struct{ Want, Got string }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pixels returns how many bytes of them there are.
func (h *decodedHead) pixels() int64 {
	n := int64(h.Sources-len(h.Bad)) * int64(h.Height) * int64(h.Width)
	if !h.Grey {
		n *= 3
	}
	return n
}

// name is that of the file: of so many records, and of what the pixels depend on.
func (h *decodedHead) name(records int, digests []byte) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s%s\n%d %d %v %d\n", decodedMagic, h.Made, h.Height, h.Width, h.Grey, h.Depth)
	sum.Write(digests)
	return hex.EncodeToString(sum.Sum(nil)[:16]) + h.kind(records)
}

// kind ends the names of files that may hold the same images.
func (h *decodedHead) kind(records int) string {
	return fmt.Sprintf("-%dx%dx%d%s", records, h.Height, h.Width, decodedSuffix)
}

// decodedWriter writes a file of decoded images.
type decodedWriter struct {
	head    decodedHead
	digests []byte
	file    *os.File
	out     *bufio.Writer
	sum     uint32
	block   int    // bytes in the block that sum is of
	unlock  func() // tells others that nobody writes the file any more
}

// newDecodedWriter begins a file in a folder, from which it removes what writers left that were killed.
func newDecodedWriter(dir string, head decodedHead) (*decodedWriter, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		_, _ = removeAbandoned(filepath.Join(dir, e.Name())) // what can't be removed is in nobody's way
	}
	head.Bad = map[int]badDecoded{}
	for {
		f, unlock, err := lockedTemp(dir)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return &decodedWriter{head: head, file: f, out: bufio.NewWriterSize(f, 1<<20), unlock: unlock}, nil
		}
	}
}

// lockedTemp begins a file that this writer holds; nil where another one took it for abandoned, as it may before it is held.
func lockedTemp(dir string) (f *os.File, unlock func(), err error) {
	if f, err = os.CreateTemp(dir, ".decoded.*"+decodedPart); err != nil {
		return nil, nil, err
	}
	unlock, err = atomicfile.Lock(f.Name())
	if err == nil {
		if _, err = os.Stat(f.Name()); err == nil {
			return f, unlock, nil
		}
		unlock()
	}
	f.Close()
	os.Remove(f.Name())
	if errors.Is(err, atomicfile.ErrLocked) || errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	return nil, nil, err
}

// removeAbandoned removes a file that was begun by a writer that is there no more, and tells whether it was one.
func removeAbandoned(path string) (bool, error) {
	if name := filepath.Base(path); !strings.HasPrefix(name, ".decoded.") || !strings.HasSuffix(name, decodedPart) {
		return false, nil
	}
	unlock, err := atomicfile.Take(path)
	if err != nil {
		return false, nil
	}
	defer unlock() // only then may its writer take it for its own
	return true, os.Remove(path)
}

// add appends an image, or what is wrong with one.
func (w *decodedWriter) add(pixels []byte, digest ImageDigest, bad *RecordError) error {
	w.digests = append(w.digests, digest[:]...)
	if w.head.Sources++; bad != nil {
		w.head.Bad[w.head.Sources-1] = badDecoded{bad.Want, bad.Got}
		return nil
	}
	for rest := pixels; len(rest) > 0; {
		part := rest[:min(len(rest), decodedBlock-w.block)]
		w.sum, w.block, rest = crc32.Update(w.sum, castagnoli, part), w.block+len(part), rest[len(part):]
		if w.block == decodedBlock {
			w.endBlock()
		}
	}
	_, err := w.out.Write(pixels)
	return err
}

func (w *decodedWriter) endBlock() {
	if w.block > 0 {
		w.head.Sums = append(w.head.Sums, w.sum)
	}
	w.sum, w.block = 0, 0
}

// finish gives the file its name, and returns its path. It is held until drop, so that it can be opened before anybody removes it.
func (w *decodedWriter) finish(records int) (string, error) {
	w.endBlock()
	head, err := json.Marshal(w.head)
	if err != nil {
		return "", err
	}
	tail := append(slices.Clone(w.digests), head...)
	sum := sha256.Sum256(tail)
	tail = binary.LittleEndian.AppendUint64(append(tail, sum[:]...), uint64(len(head)))
	_, err = w.out.Write(append(tail, decodedMagic...))
	path := filepath.Join(filepath.Dir(w.file.Name()), w.head.name(records, w.digests))
	if err = errors.Join(err, w.out.Flush(), w.file.Chmod(0o444), w.file.Sync(), w.file.Close()); err == nil {
		err = os.Rename(w.file.Name(), path)
	}
	return path, err
}

// drop ends the writing, and removes what was written if it has no name yet.
func (w *decodedWriter) drop() {
	w.file.Close()
	os.Remove(w.file.Name())
	w.unlock()
}

// decodedFile is a file of decoded images that is open.
type decodedFile struct {
	decodedHead
	digests []byte
	file    *os.File
}

// openDecoded reads what a file of decoded images says of itself.
func openDecoded(path string) (_ *decodedFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	damaged := fmt.Errorf("%s is damaged", path)
	end := make([]byte, decodedEnd)
	if st.Size() < int64(decodedEnd) {
		return nil, damaged
	}
	if _, err := f.ReadAt(end, st.Size()-int64(decodedEnd)); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(end[sha256.Size:])
	left := st.Size() - int64(decodedEnd)
	if !bytes.HasSuffix(end, []byte(decodedMagic)) || length > uint64(left) {
		return nil, damaged
	}
	head := make([]byte, length)
	if _, err := f.ReadAt(head, left-int64(length)); err != nil {
		return nil, err
	}
	d := &decodedFile{file: f}
	if json.Unmarshal(head, &d.decodedHead) != nil || d.Sources < 0 || len(d.Bad) > d.Sources || d.Height < 1 || d.Width < 1 ||
		float64(d.Sources)*float64(d.Height)*float64(d.Width) > 1e17 || d.Sources > int(left) || d.pixels()+int64(d.Sources)*int64(len(ImageDigest{})) != left-int64(length) {
		return nil, damaged
	}
	d.digests = make([]byte, d.Sources*len(ImageDigest{}))
	if _, err := f.ReadAt(d.digests, d.pixels()); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append(slices.Clone(d.digests), head...))
	if !bytes.Equal(sum[:], end[:sha256.Size]) {
		return nil, damaged
	}
	return d, nil
}

// load maps the pixels and compares them with their checksums.
func (d *decodedFile) load(ctx context.Context) (_ *mapping, _ []byte, err error) {
	defer Lost(&err)
	m, pixels, err := mapFile(d.file, int(d.pixels()))
	if err != nil {
		return nil, nil, err
	}
	if len(d.Sums) != (len(pixels)+decodedBlock-1)/decodedBlock {
		return nil, nil, fmt.Errorf("%s is damaged", d.file.Name())
	}
	wrong := make([]bool, len(d.Sums))
	err = eachUntil(ctx, len(wrong), func(k int) {
		block := pixels[k*decodedBlock : min(len(pixels), (k+1)*decodedBlock)]
		m.guard(func() { wrong[k] = crc32.Checksum(block, castagnoli) != d.Sums[k] })
	})
	if err != nil {
		return nil, nil, err
	}
	if slices.Contains(wrong, true) {
		return nil, nil, fmt.Errorf("%s is damaged", d.file.Name())
	}
	return m, pixels, nil
}

// DefaultStore is the folder for decoded images where Options.Store names none.
func DefaultStore() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "unpoison", "images"), err
}

// CleanStore removes the files of decoded images in a folder, and what writers left that were killed. It returns how many
// there were, and their bytes. Other files stay, and those that are being written.
func CleanStore(dir string) (files int, size int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return 0, 0, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		st, stErr := e.Info()
		gone, err := removeAbandoned(path)
		if !gone && strings.HasSuffix(e.Name(), decodedSuffix) && endsAsDecoded(path) {
			gone, err = removeDecoded(path)
		}
		if err != nil {
			return files, size, err
		}
		if gone && stErr == nil {
			size += st.Size()
		}
		files += bit(gone)
	}
	return files, size, nil
}

// removeDecoded removes a file of decoded images, unless its writer is about to open it, and tells whether it did.
func removeDecoded(path string) (bool, error) {
	unlock, err := atomicfile.Lock(path)
	if errors.Is(err, atomicfile.ErrLocked) {
		return false, nil
	}
	if err == nil {
		defer unlock()
	}
	return true, os.Remove(path)
}

// endsAsDecoded tells a file of decoded images from another one of such a name.
func endsAsDecoded(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	end := make([]byte, len(decodedMagic))
	if _, err := f.Seek(-int64(len(end)), io.SeekEnd); err != nil {
		return false
	}
	_, err = io.ReadFull(f, end)
	return err == nil && string(end) == decodedMagic
}
