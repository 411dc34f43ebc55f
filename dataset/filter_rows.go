package dataset

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/unpoison/unpoison/internal/base/names"
)

// copyRows copies rows of a fixed size but those in drop. heads are what some rows begin with instead. A rest that is no whole row is
// copied too.
func copyRows(w io.Writer, in io.Reader, size int64, drop map[int]bool, heads map[int][]byte) error {
	if size <= 0 || size > 1<<31 {
		return fmt.Errorf("rows of %d bytes", size)
	}
	row := make([]byte, size)
	for n := 0; ; n++ {
		got, err := io.ReadFull(in, row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		last := errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		if !drop[n] {
			copy(row, heads[n])
			if _, err := w.Write(row[:got]); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// cifar filters CIFAR's binary version, whose records begin with so many bytes of labels.
func (f *filter) cifar(labels int64) error {
	return f.rewriteRows(names.Matching(f.base, "*.bin"), func(from, to string, c *change) error {
		heads, err := byRow(f, c.label, func(file string, row int) ([]byte, error) {
			return readAt(f.path(file, names.Matching(f.base, "*.bin")), int64(row)*(labels+3*cifarPixels), labels)
		})
		if err != nil {
			return err
		}
		return f.convert(from, to, func(in io.Reader, w io.Writer) error { return copyRows(w, in, labels+3*cifarPixels, c.drop, heads) })
	})
}

// convert writes a file of another with buffers, both packed as the end of their name says.
func (f *filter) convert(from, to string, do func(in io.Reader, w io.Writer) error) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	in, end, err := unpacked(from, bufio.NewReaderSize(&interrupted{f.ctx, file}, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	defer end()
	name := strings.ToLower(from)
	return writeFile(to, func(out io.Writer) (err error) {
		b := bufio.NewWriterSize(out, 1<<20)
		var w io.WriteCloser = nopCloser{b}
		switch {
		case strings.HasSuffix(name, "gz"):
			w = gzip.NewWriter(b)
		case strings.HasSuffix(name, ".zst"):
			if w, err = zstd.NewWriter(b); err != nil {
				return err
			}
		}
		return errors.Join(do(in, w), w.Close(), b.Flush())
	})
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// idx filters MNIST's format: the training images and their labels.
func (f *filter) idx() error {
	images, labels := idxFile(f.base, "train", "images"), idxFile(f.base, "train", "labels")
	rows, err := f.rowFiles([]string{images})
	if err != nil {
		return err
	}
	c := rows[images]
	if c == nil {
		return f.rewrites(nil)
	}
	all, err := idxLabels(f.store(), labels)
	if err != nil {
		return err
	}
	for name := range f.rows {
		f.dropRest(name, all.len())
	}
	heads, err := byRow(f, c.label, func(_ string, row int) ([]byte, error) { return []byte{byte(all.numbers[row])}, nil })
	if err != nil {
		return err
	}
	for _, kind := range []string{"images", "labels"} {
		all := idxFiles(f.base, "train", kind)
		for _, p := range all[1:] {
			f.files[filepath.Base(p)] = true
			f.note("%s was not copied: what is read, and was filtered, is %s", filepath.Base(p), filepath.Base(all[0]))
		}
	}
	write := func(heads map[int][]byte) func(from, to string) error {
		return func(from, to string) error {
			return f.convert(from, to, func(in io.Reader, w io.Writer) error { return copyIDX(w, in, c.drop, heads) })
		}
	}
	of := map[string]func(from, to string) error{images: write(nil), labels: write(heads)}
	if len(c.drop) > 0 {
		for _, p := range f.idxBeside(all.len()) {
			of[p] = write(nil)
		}
	}
	return f.rewrites(of)
}

// idxBeside are the other arrays with as many rows as there are training images, of which it notes that they are filtered, too.
func (f *filter) idxBeside(rows int) (all []string) {
	var called []string
	for _, p := range names.Matching(f.base, "*idx*") {
		name := filepath.Base(p)
		if f.files[name] || slices.Contains(slices.Concat(idxFiles(f.base, "train", "images"), idxFiles(f.base, "train", "labels")), p) || strings.HasPrefix(name, "t10k") || ofOtherPart(name) {
			continue
		}
		if n, err := f.idxRows(p); err == nil && n == rows {
			all, called = append(all, p), append(called, name)
		}
	}
	if len(called) > 0 {
		f.note("these arrays lost the same rows as the images, as they had as many, %d: %s", rows, strings.Join(called, ", "))
	}
	return all
}

// idxRows counts the rows of an array.
func (f *filter) idxRows(path string) (int, error) {
	in, _, err := f.store().openPacked(path)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	_, dims, err := idxStart(in)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint32(dims)), nil
}

// idxStart reads what an array of any type begins with: its magic number, and its dimensions in four bytes each.
func idxStart(in io.Reader) (head, dims []byte, err error) {
	head = make([]byte, 4)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, nil, err
	}
	if head[0] != 0 || head[1] != 0 || idxBytes[head[2]] == 0 {
		return nil, nil, errors.New("no IDX array")
	}
	dims = make([]byte, 4*int(head[3]))
	if _, err := io.ReadFull(in, dims); err != nil {
		return nil, nil, err
	}
	if len(dims) == 0 {
		return nil, nil, errors.New("an IDX array without dimensions")
	}
	return head, dims, nil
}

// idxBytes is what a number takes in an IDX array, by its type.
var idxBytes = map[byte]int64{0x08: 1, 0x09: 1, 0x0b: 2, 0x0c: 4, 0x0d: 4, 0x0e: 8}

// copyIDX copies an array without the rows in drop, each of which is there; see copyRows.
func copyIDX(w io.Writer, in io.Reader, drop map[int]bool, heads map[int][]byte) error {
	head, dims, err := idxStart(in)
	if err != nil {
		return err
	}
	n, size := binary.BigEndian.Uint32(dims), idxBytes[head[2]]
	for k := 4; k < len(dims); k += 4 {
		if size *= int64(binary.BigEndian.Uint32(dims[k:])); size > 1<<31 {
			return fmt.Errorf("rows of %d bytes", size)
		}
	}
	if int(n) < len(drop) {
		return fmt.Errorf("%d rows, %d are to be dropped", n, len(drop))
	}
	binary.BigEndian.PutUint32(dims, n-uint32(len(drop)))
	if _, err := w.Write(append(head, dims...)); err != nil {
		return err
	}
	return copyRows(w, in, size, drop, heads)
}
