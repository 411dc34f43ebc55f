package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/names"
)

// CIFAR's binary version: records of label bytes and 3072 bytes of image, channel after channel.

const (
	cifarSide   = 32
	cifarPixels = cifarSide * cifarSide
)

var cifar10Classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

func isCIFAR10(dir string, _ Options) bool {
	files, _ := batchFiles(dir)
	return len(files) > 0
}

// batchFiles are the batches in a folder, and the files whose names are like theirs.
func batchFiles(dir string) (files, others []string) {
	for _, path := range names.Matching(dir, "data_batch_*.bin") {
		if _, ok := batchNumber(path, ".bin"); ok {
			files = append(files, path)
		} else {
			others = append(others, filepath.Base(path))
		}
	}
	return files, others
}

func isCIFAR100(dir string, _ Options) bool { return exists(filepath.Join(dir, "train.bin")) }

// exists reports whether there is something of the name. A link that leads nowhere is there, so that reading it says so.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func openCIFAR10(_ context.Context, dir string, o Options) (*Contents, error) {
	files, others := batchFiles(dir)
	if len(files) == 0 {
		return nil, fmt.Errorf("expected data_batch_1.bin and so on, found none")
	}
	s := newStore(dir, o)
	classes, err := s.classNames(filepath.Join(dir, "batches.meta.txt"), cifar10Classes)
	if err != nil {
		return nil, err
	}
	c, err := openCIFAR(s, files, filepath.Join(dir, "test_batch.bin"), 1, classes)
	if err != nil {
		return nil, err
	}
	batches := map[int]bool{}
	for _, path := range files {
		if n, ok := batchNumber(path, ".bin"); ok {
			batches[n] = true
		}
	}
	c.Notes = missingBatches(batches)
	if len(others) > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("not read, as they are not called as a batch is: %q", others[:min(len(others), mostNamed)]))
	}
	return c, nil
}

// batchNumber is N of data_batch_N with an ending.
func batchNumber(path, ending string) (int, bool) {
	text, ok := strings.CutSuffix(strings.TrimPrefix(filepath.Base(path), "data_batch_"), ending)
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n > 0 && n < 1000 && strconv.Itoa(n) == text
}

// missingBatches says which are missing among those up to the last.
func missingBatches(there map[int]bool) (notes []string) {
	var gone []string
	for n := 1; len(there) > 0 && n < slices.Max(slices.Collect(maps.Keys(there))); n++ {
		if !there[n] {
			gone = append(gone, fmt.Sprintf("data_batch_%d", n))
		}
	}
	if len(gone) > 0 {
		notes = append(notes, "not there: "+strings.Join(gone, ", "))
	}
	return notes
}

func openCIFAR100(_ context.Context, dir string, o Options) (*Contents, error) {
	numbers := make([]string, 100)
	for i := range numbers {
		numbers[i] = strconv.Itoa(i)
	}
	s := newStore(dir, o)
	names, err := s.classNames(filepath.Join(dir, "fine_label_names.txt"), numbers)
	if err != nil {
		return nil, err
	}
	return openCIFAR(s, []string{filepath.Join(dir, "train.bin")}, filepath.Join(dir, "test.bin"), 2, names)
}

// classNames reads a line a class, if the file is there.
func (s *store) classNames(path string, otherwise []string) ([]string, error) {
	if _, err := os.Lstat(path); err != nil {
		return otherwise, nil
	}
	raw, err := s.read(path, maxFile)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(strings.TrimPrefix(string(raw), "\ufeff")) {
		if line = strings.TrimSpace(line); line != "" {
			names = append(names, line)
		}
	}
	if len(names) == 0 {
		return otherwise, nil
	}
	return names, nil
}

func openCIFAR(s *store, train []string, test string, labels int, names []string) (*Contents, error) {
	part := func(files []string) (*Part, error) {
		p := &Part{Name: s.called(files)}
		for _, f := range files {
			st, err := s.stat(f)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.rel(f), err)
			}
			p.Claim += st.Size()
		}
		p.Records = func(yield func(Record) error) error {
			for _, f := range files {
				if err := readCIFAR(s, f, labels, yield); err != nil {
					return err
				}
			}
			return nil
		}
		return p, nil
	}
	c := &Contents{Classes: names}
	var err error
	if c.Train, err = part(train); err == nil && exists(test) {
		c.Test, err = part([]string{test})
	}
	return c, err
}

// readCIFAR yields the records of one file; with two label bytes the second counts (fine labels).
func readCIFAR(s *store, path string, labels int, yield func(Record) error) error {
	f, _, err := s.open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name, in := s.rel(path), bufio.NewReaderSize(f, 1<<20)
	rec := make([]byte, labels+3*cifarPixels)
	for row := 0; ; row++ {
		r := Record{Source: name, Row: row}
		n, err := io.ReadFull(in, rec)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			r.Err = &RecordError{name, row, fmt.Sprintf("a record of %d bytes", len(rec)), fmt.Sprintf("%d bytes: the file is cut off", n)}
			return yield(r)
		case err != nil:
			return s.ofFile(path, err)
		}
		r.Label = Number(int64(rec[labels-1]))
		r.Raw = &Raw{cifarSide, cifarSide, 3, true, func() ([]byte, error) { return rec[labels:], nil }}
		if err := yield(r); err != nil {
			return err
		}
	}
}

func writeCIFAR10(dir string, d *Data) error {
	return writeCIFAR(dir, d, "data_batch_%d.bin", "test_batch.bin", 1, "batches.meta.txt")
}

func writeCIFAR100(dir string, d *Data) error {
	return writeCIFAR(dir, d, "train.bin", "test.bin", 2, "fine_label_names.txt")
}

func writeCIFAR(dir string, d *Data, train, test string, labels int, meta string) error {
	if d.Train.Height != cifarSide || d.Train.Width != cifarSide {
		return fmt.Errorf("CIFAR's layout holds 32×32 images, these have %d×%d", d.Train.Height, d.Train.Width)
	}
	batch := max(1, d.Train.Len())
	if strings.Contains(train, "%d") {
		batch = max(10000, (d.Train.Len()+4)/5)
	}
	for k := 0; k*batch < max(1, d.Train.Len()); k++ {
		name := train
		if strings.Contains(train, "%d") {
			name = fmt.Sprintf(train, k+1)
		}
		if err := writeCIFARFile(filepath.Join(dir, name), d.Train, k*batch, min((k+1)*batch, d.Train.Len()), labels); err != nil {
			return err
		}
	}
	if d.Test != nil {
		if err := writeCIFARFile(filepath.Join(dir, test), d.Test, 0, d.Test.Len(), labels); err != nil {
			return err
		}
	}
	return atomicfile.WriteBytes(filepath.Join(dir, meta), []byte(strings.Join(d.Train.Classes, "\n")+"\n"))
}

func writeCIFARFile(path string, s *Set, lo, hi, labels int) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		rec := make([]byte, labels+3*cifarPixels)
		for i := lo; i < hi; i++ {
			rec[labels-1] = byte(s.Labels[i])
			planes(rec[labels:], s.Image(i))
			if _, err := w.Write(rec); err != nil {
				return err
			}
		}
		return nil
	})
}

// planes writes RGB bytes channel after channel.
func planes(to, rgb []byte) {
	area := len(rgb) / 3
	for p := range area {
		for c := range 3 {
			to[c*area+p] = rgb[3*p+c]
		}
	}
}
